// What a worker of the page runs, and nothing else.
import { serve } from './serve.js';

serve(self);
