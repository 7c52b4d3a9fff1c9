/** Subcomponents clustered into components by description length. */
export { ClusteredDecomposition } from "./clustered-decomposition.ts";
export { cluster, type ClusterOptions, type ClusterState } from "./cluster.ts";
export { descriptionLength as clusteringLength, mergeChange } from "./cost.ts";
export { type ClusterResult, clustersAt, parseClusters, resultOf } from "./document.ts";
export { mergeAll } from "./merge.ts";
export { adjustedRand, hammingDistance, matchingDistance } from "./partition-distance.ts";
export { sampleFirings } from "./sample.ts";
