/** Builds the page into `dist/ui`: static files with relative addresses, served by `mechanist` or opened from anywhere. */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type UserConfig } from "vite";

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [svelte()],
  worker: { format: "es" },
  build: { outDir: "../../dist/ui", emptyOutDir: true, target: "es2023", reportCompressedSize: true },
});

export default config;
