/** A Vitest reporter that ends with the totals on a line of their own, `N passed, N failed`, for whoever reads logs by machine. */
export default class TotalsReporter {
  onTestRunEnd(modules, unhandled) {
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      // A file that did not load has no tests to count.
      if (module.errors().length > 0) failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
      }
    }
    this.totals = `${passed} passed, ${failed} failed`;
    process.once("exit", () => process.stdout.write(`${this.totals}\n`));
  }
}
