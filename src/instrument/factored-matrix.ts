/**
 * A matrix `A B` of low rank that is never multiplied out (TransformerLens, "FactoredMatrix"): the circuits of a head are matrices between
 * tokens, of vocabulary by vocabulary, whose rank is that of the head. In float64.
 */
import { EigenvalueDecomposition, type Matrix } from "ml-matrix";
import { MechanistError } from "../error.ts";

export class FactoredMatrix {
  /** `rows rank`. */
  readonly A: Matrix;
  /** `rank columns`. */
  readonly B: Matrix;

  /** @throws `ShapeMismatch` where the factors do not fit */
  constructor(A: Matrix, B: Matrix) {
    if (A.columns !== B.rows) {
      throw new MechanistError("ShapeMismatch", `factored matrix: expected ${A.columns} rows, got ${B.rows}`);
    }
    this.A = A;
    this.B = B;
  }

  get rows(): number {
    return this.A.rows;
  }

  get columns(): number {
    return this.B.columns;
  }

  /** One number of it. */
  at(row: number, column: number): number {
    let total = 0;
    for (let r = 0; r < this.A.columns; r++) total += this.A.get(row, r) * this.B.get(r, column);
    return total;
  }

  /** One row of it: of a full OV circuit, what attending to a token does to each logit. */
  row(index: number): number[] {
    return this.A.subMatrixRow([index]).mmul(this.B).to1DArray();
  }

  /** A product with another, its own factors as they are on the outside. */
  times(other: FactoredMatrix): FactoredMatrix {
    return new FactoredMatrix(this.A.mmul(this.B.mmul(other.A)), other.B);
  }

  transposed(): FactoredMatrix {
    return new FactoredMatrix(this.B.transpose(), this.A.transpose());
  }

  /** The Frobenius norm: `√tr(AᵀA BBᵀ)`. */
  norm(): number {
    const gram = this.A.transpose().mmul(this.A);
    const other = this.B.mmul(this.B.transpose());
    let total = 0;
    for (let i = 0; i < gram.rows; i++) for (let j = 0; j < gram.rows; j++) total += gram.get(i, j) * other.get(j, i);
    return Math.sqrt(Math.max(0, total));
  }

  /** The eigenvalues of a square one that are not 0 by its rank: those of `B A`. */
  eigenvalues(): { readonly real: readonly number[]; readonly imaginary: readonly number[] } {
    if (this.rows !== this.columns) {
      throw new MechanistError("ShapeMismatch", `eigenvalues: expected a square, got ${this.rows} by ${this.columns}`);
    }
    const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(this.B.mmul(this.A));
    return { real: realEigenvalues, imaginary: imaginaryEigenvalues };
  }

  /** The full matrix, where it is small. */
  product(): Matrix {
    return this.A.mmul(this.B);
  }
}
