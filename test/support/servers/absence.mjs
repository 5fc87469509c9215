/**
 * The sentence that a suite prints in place of its tests.
 * @param {string} server    e.g. `MariaDB`
 * @param {string} url       where it was looked for; a password in it is not repeated
 * @param {string} variable  the variable that names another place
 */
export function absence(server, url, variable) {
  return `skipped: no ${server} at ${withoutPassword(url)} (set ${variable})`;
}

function withoutPassword(url) {
  if (!URL.canParse(url)) return url;
  const shown = new URL(url);
  shown.password = '';
  return shown.href;
}
