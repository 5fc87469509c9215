/** What `work` fails with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await work;
  } catch (error) {
    return error;
  }
  throw new Error(`it did not fail, and gave ${JSON.stringify(value)}`);
}
