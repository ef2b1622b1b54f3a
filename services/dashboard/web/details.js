// One job: before and after, where its time went, what it made or what went wrong.
import { STAGE_WORDS, ask, bar, bytes, clock, file, job, lab, span, total } from "/web/store.js";

const AGAIN_MS = 1000;

const Details = {
  emits: ["retry"],
  data: () => ({ lab, id: null, found: null, said: null, error: "", split: 50, unseen: "", asked: 0 }),
  computed: {
    // The list is current at once; what the list does not have comes from the API.
    listed() {
      return (this.id && lab.jobs && job(this.id)) || null;
    },
    job() {
      return this.listed ?? this.found?.row ?? null;
    },
    parts() {
      return this.job ? bar(this.job) : [];
    },
    result() {
      return this.found?.outputs.find((output) => output.name === "result");
    },
    compared() {
      return this.job?.status === "completed" && this.job.kind === "image";
    },
    facts() {
      const found = this.found;
      if (!found) return [];
      return [
        ["Job", found.job_id],
        ["Accepted", clock(this.job?.at)],
        ["Worker", found.worker],
        ["Queue", found.queue],
        ["Attempts", found.attempts > 1 || found.generation > 1 ? `${found.attempts}, generation ${found.generation}` : found.attempts],
        ["Priority", found.priority || null],
        ["Original", found.file_size ? bytes(found.file_size) : null],
      ].filter(([, value]) => value);
    },
  },
  watch: {
    listed(now, before) {
      // A job may fail again so soon that nobody sees it run.
      const changed = now?.status !== before?.status || now?.generation !== before?.generation;
      if (this.id && changed) this.load();
    },
  },
  methods: {
    STAGE_WORDS: () => STAGE_WORDS,
    bytes,
    clock,
    file,
    span,
    total,
    word: (name) => STAGE_WORDS[name],
    open(id) {
      this.id = id;
      this.found = this.said = null;
      this.error = this.unseen = "";
      this.split = 50;
      this.$refs.dialog.showModal();
      this.load();
    },
    async load() {
      const number = ++this.asked;
      try {
        const found = await ask(`/job/${this.id}`);
        if (number === this.asked) [this.found, this.error] = [found, ""];
      } catch (error) {
        if (number === this.asked) this.error = error.message;
      }
      // Of a job that is not in the list, nobody tells what becomes of it.
      const open = this.id && !this.listed && this.job && !this.job.end;
      if (open && number === this.asked) setTimeout(() => number === this.asked && this.id && this.load(), AGAIN_MS);
    },
    say(id, text, bad) {
      if (id !== this.id) return;
      this.said = { text, bad };
      this.load();
    },
    close() {
      this.$refs.dialog.close();
    },
    size: (output) => `${output.width}×${output.height}, ${bytes(output.size)}`,
  },
  template: `
    <dialog ref="dialog" class="details" aria-labelledby="details-title" @close="id = null" @click.self="close">
      <div class="inside" v-if="id">
        <div class="bartop">
          <h2 id="details-title">{{ job?.name ?? found?.file_name ?? id }}</h2>
          <span v-if="job" class="status" :class="job.status"><span class="dot" aria-hidden="true"></span>{{ job.status }}</span>
          <span class="gap"></span>
          <button v-if="job?.status === 'failed'" type="button" class="small" @click="$emit('retry', id)">Retry</button>
          <button type="button" class="icon" @click="close" aria-label="Close">×</button>
        </div>
        <p role="status" class="said" :class="{ problem: said?.bad }">{{ said?.text }}</p>
        <p v-if="error" class="problem" role="alert">{{ error }}</p>
        <p v-if="job?.why" class="problem">{{ job.why }}</p>
        <div v-if="compared" class="compare">
          <div class="stage">
            <img :src="file(job, 'result')" alt="After" @error="unseen = 'after'" />
            <img class="before" :src="file(job, 'original')" alt="Before" @error="unseen = 'before'"
              :style="{ clipPath: 'inset(0 ' + (100 - split) + '% 0 0)' }" />
            <span class="edge" :style="{ left: split + '%' }" aria-hidden="true"></span>
            <span class="tagged left">before</span><span class="tagged right">after</span>
          </div>
          <input type="range" min="0" max="100" v-model.number="split" aria-label="How much is shown of before" />
          <p v-if="unseen" class="note">This browser cannot show the picture {{ unseen }}; the file below is whole.</p>
        </div>
        <table v-if="parts.length" class="stages">
          <tbody>
            <tr v-for="part in parts" :key="part.name + part.going">
              <th scope="row"><i :class="part.name"></i>{{ word(part.name) }}</th>
              <td class="line"><i :class="[part.name, { going: part.going }]" :style="{ width: Math.max(0.3, 100 * part.share) + '%' }"></i></td>
              <td class="num">{{ span(part.ms) }}{{ part.going ? " …" : "" }}</td>
            </tr>
            <tr v-if="job" class="sum"><th scope="row">total</th><td></td><td class="num">{{ span(total(job)) }}</td></tr>
          </tbody>
        </table>
        <dl class="facts">
          <div v-if="job?.operations.length"><dt>Operations</dt><dd>{{ job.operations.join(" · ") }}</dd></div>
          <div v-for="[name, value] in facts" :key="name"><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
        </dl>
        <p v-if="job && found?.kind === 'image'" class="files">
          <a :href="file(job, 'original')" target="_blank" rel="noopener">original</a>
          <a v-for="output in found.outputs" :key="output.name" :href="file(job, output.name)" target="_blank" rel="noopener">{{ output.name }}
            <span class="note">{{ output.width ? size(output) : bytes(output.size) }}</span></a>
        </p>
      </div>
    </dialog>`,
};

export default {
  components: { Details },
  emits: ["retry"],
  methods: {
    open(id) {
      this.$refs.inner.open(id);
    },
    say(...said) {
      this.$refs.inner.say(...said);
    },
  },
  template: `<Details ref="inner" @retry="$emit('retry', $event)" />`,
};
