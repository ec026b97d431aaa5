// What all programs do: jobs from stdin, a line of JSON about each to stdout.
export const MORE = "Thank you!";
export const SYSTEM = "You add.";
export const PARAMETERS = {
  type: "object",
  properties: { a: { type: "integer" }, b: { type: "integer" } },
  required: ["a", "b"],
};
export const ADD = { name: "add", description: "Adds.", parameters: PARAMETERS };
export const URL = process.env.GATEWAY_URL;
export const WAY = process.argv[2];

export async function run(talk) {
  let text = "";
  for await (const piece of process.stdin) text += piece;
  for (const job of JSON.parse(text)) {
    const ran = [];
    const add = ({ a, b }) => {
      ran.push([a, b]);
      return String(a + b);
    };
    const said = { number: job.number, ran };
    try {
      said.said = await talk(job, add);
    } catch (error) {
      const cause = error.responseBody ?? error.cause?.message ?? "";
      said.error = `${error} ${cause}`.slice(0, 600);
    }
    console.log(JSON.stringify(said));
  }
}
