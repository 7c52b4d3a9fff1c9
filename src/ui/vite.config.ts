/** Builds the page into `dist/ui`: static files with relative addresses, served by `mechanist` or opened from anywhere. */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type UserConfig } from "vite";

/**
 * The page runs networks by the float64 arbiter alone. ONNX Runtime is named in a module that it imports, in a function that it does
 * not call; looked into, it would put 28 MB of WebAssembly beside the page.
 */
const external = [/^onnxruntime-web/];

// Tests build the page too, if it has changed, and there NODE_ENV says `test`: what is built is always the page that people get.
process.env.NODE_ENV = "production";

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [svelte()],
  worker: { format: "es", rolldownOptions: { external } },
  build: { outDir: "../../dist/ui", emptyOutDir: true, target: "es2023", rolldownOptions: { external } },
});

export default config;
