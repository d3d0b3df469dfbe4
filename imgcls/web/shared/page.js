// What holds for the whole page: it is there before Gradio builds the page.
import './address.js';
import './charts.js';
import './choices.js';
import './glossary.js';
import './keyboard.js';
import './no_script.js';
import './show_result.js';
