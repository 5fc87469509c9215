const format = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** 36788 → `36,788`. */
export function grouped(count: number): string {
  return format.format(count);
}
