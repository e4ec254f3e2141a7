// What a page must be for everybody: readable in light and dark, not too wide for a phone, usable with a screen reader.

// The least contrast between the texts of a page and their background; WCAG asks for 4.5.
export function contrast(page) {
  return page.evaluate(() => {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = (color) => channels(color).slice(0, 3).map((value) => linear(value / 255))
      .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (one) => {
      for (; one; one = one.parentElement) {
        const color = getComputedStyle(one).backgroundColor;
        if (channels(color)[3] !== 0) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const usable = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(":disabled, [aria-hidden=true]");
    const texts = [...document.querySelectorAll("body *")].filter((one) => hasText(one) && usable(one));
    return texts.map((one) => {
      const [light, dark] = [luminance(getComputedStyle(one).color), luminance(behind(one))].sort((a, b) => b - a);
      return { ratio: (light + 0.05) / (dark + 0.05), text: one.textContent.trim().slice(0, 40) };
    }).reduce((least, one) => (one.ratio < least.ratio ? one : least));
  });
}

// Whether the page has to be scrolled sideways.
export const isTooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

// What can be used or looked at, and has no name.
export function unnamed(page) {
  const selector = "button, input, textarea, select, progress, table, [role=img], [role=region], canvas, svg, [tabindex='0']";
  return page.$$eval(selector, (all) => all.filter((one) => {
    const named = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.textContent.trim();
    return !named && !one.labels?.length && !one.closest("[aria-hidden=true]");
  }).map((one) => one.outerHTML));
}
