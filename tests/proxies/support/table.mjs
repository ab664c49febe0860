/**
 * Symptoms as a table for people.
 */

/**
 * One line for each way, one column for each symptom.
 *
 * @param {Record<string, Record<string, string>>} ways the symptoms of each
 */
export function tableOf(ways) {
  const symptoms = [...new Set(Object.values(ways).flatMap(Object.keys))];
  const lines = Object.entries(ways).map(([way, shown]) => [way, ...symptoms.map((symptom) => shown[symptom] ?? "")]);
  const rows = [["", ...symptoms], ...lines];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}
