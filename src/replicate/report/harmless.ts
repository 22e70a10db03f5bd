/** On one line, without what would act on the terminal that it is shown on: control and format characters become spaces. */
export function harmless(text: string): string {
  return text.replace(/[\p{C}\s]+/gu, " ").trim();
}
