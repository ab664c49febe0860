/** Made by the build: the address under which plotly.js may be kept for ever. */
declare module "*/plotly-url.js" {
  export const url: string;
}
