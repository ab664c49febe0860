// @ts-check
/** The knobs of a page: form fields with names. How they stand is in the address, so that it can be shared and repeated. */

export class Knobs {
  #inputs = /** @type {NodeListOf<HTMLInputElement | HTMLSelectElement>} */ (document.querySelectorAll(".knobs [name]"));

  /** @param {(name: string) => void} onTurned is called when the viewer has turned a knob */
  constructor(onTurned) {
    const query = new URLSearchParams(location.search);
    for (const input of this.#inputs) {
      const value = query.get(input.name);
      if (value !== null) setValue(input, value);
      showValue(input);
      input.addEventListener("input", () => {
        showValue(input);
        setInAddress(input.name, String(valueOf(input)));
        onTurned(input.name);
      });
    }
  }

  /** How a knob stands: a number, true or false, or a text. @param {string} name @returns {any} */
  value(name) {
    const inputs = [...this.#inputs].filter((input) => input.name === name);
    const input = inputs.find((input) => input instanceof HTMLInputElement && input.type === "radio" && input.checked) ?? inputs[0];
    if (!input) throw new RangeError(`there is no knob ${name}`);
    return valueOf(input);
  }

  /** Whether these knobs stand as the page had them at first, which is what its bet is about. @param {string[]} names */
  areAsBet(names) {
    return [...this.#inputs].filter(({ name }) => names.includes(name)).every(isUntouched);
  }
}
/** @param {HTMLInputElement | HTMLSelectElement} input */
function valueOf(input) {
  if (input instanceof HTMLInputElement && input.type === "checkbox") return input.checked;
  if (input.dataset.steps) return stepsOf(input)[Number(input.value)];
  if (input instanceof HTMLInputElement && ["range", "number"].includes(input.type)) return Number(input.value);
  return input.value;
}

/** A slider with `data-steps="5000 1000 100"` has these values, from left to right. @param {HTMLElement} input @returns {number[]} */
function stepsOf(input) {
  return String(input.dataset.steps).split(" ").map(Number);
}

/** @param {HTMLInputElement | HTMLSelectElement} input @param {string} value */
function setValue(input, value) {
  if (input instanceof HTMLInputElement && input.type === "checkbox") input.checked = value === "true";
  else if (input instanceof HTMLInputElement && input.type === "radio") input.checked = input.value === value;
  else if (input.dataset.steps) input.value = String(Math.max(0, stepsOf(input).indexOf(Number(value))));
  else input.value = value;
}

/** @param {HTMLInputElement | HTMLSelectElement} input whether it stands as the page's HTML has it */
function isUntouched(input) {
  if (input instanceof HTMLSelectElement) {
    const first = [...input.options].find(({ defaultSelected }) => defaultSelected) ?? input.options[0];
    return first.selected;
  }
  if (["checkbox", "radio"].includes(input.type)) return input.checked === input.defaultChecked;
  return input.value === input.defaultValue;
}

/** Sets a parameter of this page's address. @param {string} name @param {string} value */
export function setInAddress(name, value) {
  const query = new URLSearchParams(location.search);
  query.set(name, value);
  history.replaceState(null, "", `?${query}`);
}

/** A slider shows its value behind it, in an `<output>`. @param {HTMLInputElement | HTMLSelectElement} input */
function showValue(input) {
  const output = input.parentElement?.querySelector("output");
  if (output) output.textContent = `${Number(valueOf(input)).toLocaleString("en")} ${input.dataset.unit ?? ""}`;
}
