// Formulas are typeset by the copy of MathJax that the site carries; only what the Markdown
// extension has marked as a formula is looked at.
window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"]],
    displayMath: [["\\[", "\\]"]],
    processEscapes: true,
  },
  options: {
    enableMenu: false,
    ignoreHtmlClass: ".*|",
    processHtmlClass: "arithmatex",
  },
};
