/** The Chromium that tests run in: this machine's own where it has one, else the one that comes inside an npm package. */
import { existsSync } from "node:fs";
import packaged from "@sparticuz/chromium";

const SYSTEM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How Playwright starts it; WebGPU runs in software where there is no graphics card. */
export async function chromiumLaunchOptions(): Promise<{ executablePath: string; args: string[] }> {
  return {
    executablePath: SYSTEM.find((path) => existsSync(path)) ?? (await packaged.executablePath()),
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
  };
}
