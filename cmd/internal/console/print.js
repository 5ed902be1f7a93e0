// Prints the page on its button, which is shown only where a script can do that.
const button = document.getElementById('print');
button.hidden = false;
button.addEventListener('click', () => print());
