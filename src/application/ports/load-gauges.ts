/** What a worker uses of its machine at this moment. */
export interface LoadGauges {
  /** Resident set. */
  residentMb(): number;
  /** Descriptors in use. */
  descriptors(): number;
  /** How many this process may have open, which can be changed from outside at any time. */
  descriptorLimit(): number;
}
