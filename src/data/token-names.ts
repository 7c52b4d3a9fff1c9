/** How a network's tokens read, for people and for those who label what components do. */

export interface TokenNames {
  /** One token as text. */
  text(id: number): string;
  /** What stands between the texts of tokens: nothing where tokens have their own spaces. */
  readonly separator: string;
  /** The token that fills rows and is no part of the data. */
  readonly padding?: number;
}

/** Tokens that are numbers and nothing else. */
export const NUMBERED: TokenNames = { text: String, separator: " " };
