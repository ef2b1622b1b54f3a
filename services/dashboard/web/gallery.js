// What came out: the pictures that were completed last, each a way to its before and after.
import { file, lab } from "/web/store.js";

const Gallery = {
  emits: ["open"],
  data: () => ({ lab }),
  methods: { file },
  template: `
    <section class="panel gallery" aria-labelledby="gallery-title">
      <div class="bartop"><h2 id="gallery-title">Results</h2><span class="note">before and after of each</span></div>
      <div class="pictures">
        <button v-for="job in lab.results" :key="job.id + job.generation" type="button" class="picture" :title="job.name"
          @click="$emit('open', job.id)" :aria-label="'Before and after of ' + job.name">
          <img :src="file(job, 'thumbnail')" alt="" loading="lazy" decoding="async" width="128" height="128" />
        </button>
        <p v-if="!lab.results.length" class="empty">Finished pictures appear here.</p>
      </div>
    </section>`,
};

export default {
  components: { Gallery },
  emits: ["open"],
  template: `<Gallery @open="$emit('open', $event)" />`,
};
