/** Faults of the way between cells; tests set them and put them back. */
export const ledgerFaults = {
  /** Cells, by their objects' names, that do not take a new catalogue. */
  notTakingCatalogue: new Set<string>(),
};
