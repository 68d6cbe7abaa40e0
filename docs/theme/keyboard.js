// What is wider than the screen scrolls, and the keyboard has to reach it to scroll it.
const WIDE = ".md-typeset__scrollwrap, .md-typeset figure.wiring, .md-typeset .formula";

function reach() {
  for (const box of document.querySelectorAll(WIDE)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);
