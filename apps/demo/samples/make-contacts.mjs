// Prints a CSV of contacts, always the same for the same count; about every seventieth row is wrong in some way.
//   node apps/demo/samples/make-contacts.mjs 1000000 > big.csv
const count = Number(process.argv[2] ?? 500);
if (!Number.isInteger(count) || count < 1) {
  console.error('How many rows? E.g. node make-contacts.mjs 500');
  process.exit(1);
}

const FIRST = ['Ada', 'Alan', 'Barbara', 'Donald', 'Edsger', 'Frances', 'Grace', 'Hedy', 'Jürgen', 'Katherine', 'Ken'];
const LAST = ['Allen', 'Dijkstra', 'Hopper', 'Johnson', 'Knuth', 'Lamarr', 'Liskov', 'Lovelace', 'Zuse', 'Turing'];
const COMPANIES = ['Analytical Engines', '"Bletchley, Park & Co."', 'Compilers Ltd', '', 'Orbital Dynamics'];
const WRONG = [
  ({ name, company, joined }) => `not an address,${name},${company},${joined}`,
  ({ email, company, joined }) => `${email},,${company},${joined}`,
  ({ email, name, company }) => `${email},${name},${company},31.12.2024`,
  ({ email, name }) => `${email},${name}`,
  ({ email, name, company }) => `${email},${name},${company},2023-02-30`,
];

console.log('email,name,company,joined');
for (let index = 0; index < count; index++) {
  const row = contact(index);
  const line =
    index % 71 === 40
      ? WRONG[Math.floor(index / 71) % WRONG.length](row)
      : `${row.email},${row.name},${row.company},${row.joined}`;
  if (!process.stdout.write(`${line}\n`)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function contact(index) {
  const first = FIRST[index % FIRST.length];
  const last = LAST[Math.floor(index / FIRST.length) % LAST.length];
  const plain = first.normalize('NFD').replaceAll(/\P{ASCII}/gu, '');
  return {
    email: `${plain}.${last}.${index}@example.com`.toLowerCase(),
    name: `${first} ${last}`,
    company: COMPANIES[index % COMPANIES.length],
    joined: new Date(Date.UTC(2020, 0, 1 + (index % 1_800))).toISOString().slice(0, 10),
  };
}
