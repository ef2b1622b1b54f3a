// The list of jobs: status, stage clock, what went wrong.
import { STAGES, STAGE_WORDS, bar, clock, job, lab, span, told, total } from "/web/store.js";

// Rows that cannot be seen are not drawn. jobs.css and widths.css have the same heights, in pixels.
const NARROW = matchMedia("(max-width: 759px)");
const height = () => (NARROW.matches ? 88 : 50);
const BEYOND = 6;
const HOVERS = matchMedia("(hover: hover)"); // else :hover lasts after a touch

const FILTERS = {
  all: () => true,
  active: (job) => job.status !== "completed" && job.status !== "failed",
  completed: (job) => job.status === "completed",
  failed: (job) => job.status === "failed",
};

const Row = {
  props: ["job", "place", "count"],
  emits: ["open", "retry"],
  data: () => ({ lab }),
  computed: {
    parts() {
      return bar(this.job);
    },
  },
  methods: { span, told, total, clock },
  template: `
    <li class="job" :class="job.status" :data-id="job.id" :aria-posinset="place" :aria-setsize="count">
      <span class="status" :class="job.status"><span class="dot" aria-hidden="true"></span>{{ job.status }}</span>
      <div class="what">
        <button type="button" class="name" @click="$emit('open', job.id)" :title="job.name">{{ job.name }}</button>
        <span class="why" v-if="job.why" :title="job.why">{{ job.why }}</span>
        <span class="ops" v-else :title="job.operations.join('; ')">{{ job.operations.join(" · ") || "waits, does nothing else" }}</span>
      </div>
      <div class="clock" :title="told(job)">
        <div class="bar" role="img" :aria-label="told(job) || 'not begun'">
          <i v-for="part in parts" :key="part.name + part.going" :class="[part.name, { going: part.going }]"
             :style="{ flexGrow: Math.max(part.share, 0.004) }"></i>
        </div>
        <span class="at">{{ clock(job.at) }}<template v-if="job.worker"> · {{ job.worker }}</template><template
          v-if="job.attempts > 1"> · attempt {{ job.attempts }}</template><template
          v-if="job.generation > 1"> · replay {{ job.generation - 1 }}</template></span>
      </div>
      <span class="total num">{{ span(total(job)) }}</span>
      <span class="act"><button v-if="job.status === 'failed'" type="button" class="small" @click="$emit('retry', job.id)"
        :aria-label="'Retry ' + job.name">Retry</button></span>
    </li>`,
};

const Jobs = {
  components: { Row },
  emits: ["open", "retry"],
  data: () => ({ lab, filter: "all", wanted: "", held: null, top: 0, room: 1200, height: height(), STAGES, STAGE_WORDS, FILTERS }),
  computed: {
    counts() {
      const count = { all: lab.jobs.length, active: 0, completed: 0, failed: 0 };
      for (const job of lab.jobs)
        count[job.status === "completed" || job.status === "failed" ? job.status : "active"] += 1;
      return count;
    },
    fitting() {
      const wanted = this.wanted.trim().toLowerCase();
      const fits = FILTERS[this.filter];
      return lab.jobs.filter((job) => fits(job) && (!wanted || this.text(job).includes(wanted)));
    },
    shown() {
      const kept = lab.jobs && this.held?.map(job).filter(Boolean);
      return kept?.length ? kept : this.fitting;
    },
    fresh() {
      const shown = new Set(this.shown);
      return this.held ? this.fitting.filter((job) => !shown.has(job)).length : 0;
    },
    first() {
      const last = Math.max(0, this.shown.length - Math.ceil(this.room / this.height));
      return Math.max(0, Math.min(Math.floor(this.top / this.height), last) - BEYOND);
    },
    drawn() {
      return this.shown.slice(this.first, this.first + Math.ceil(this.room / this.height) + 2 * BEYOND);
    },
  },
  watch: {
    filter: "begin",
    wanted: "begin",
    shown: "keep",
  },
  mounted() {
    document.addEventListener("close", this.look, true); // of a dialog, which gives the focus back
    this.resized = new ResizeObserver(this.measure);
    this.resized.observe(this.$refs.scroll);
  },
  unmounted() {
    this.resized.disconnect();
    document.removeEventListener("close", this.look, true);
  },
  methods: {
    measure() {
      this.room = this.$refs.scroll.clientHeight;
      this.height = height();
    },
    scrolled() {
      this.top = this.$refs.scroll.scrollTop;
    },
    begin() {
      this.held = null;
      this.top = this.$refs.scroll.scrollTop = 0;
    },
    // New rows come above: what somebody reads further down stays where it is.
    keep(now, before) {
      const at = Math.floor(this.top / this.height);
      if (!at) return;
      const places = new Map(now.map((job, place) => [job.id, place]));
      const from = before.findIndex((job, place) => place >= at && places.has(job.id));
      if (from < 0) return;
      this.top += (places.get(before[from].id) - from) * this.height;
      this.$nextTick(() => (this.$refs.scroll.scrollTop = this.top));
    },
    // Under the pointer, or with the keyboard's focus in it, the list holds still: the same rows in the same places.
    look() {
      requestAnimationFrame(() => {
        const list = this.$refs.scroll;
        if (!list || document.querySelector("dialog[open]")) return;
        const inside = (HOVERS.matches && list.matches(":hover")) || list.matches(":focus-visible, :has(:focus-visible)");
        if (inside !== !!this.held) this.held = inside ? this.shown.map((job) => job.id) : null;
      });
    },
    text: (job) => `${job.name} ${job.id} ${job.operations.join(";")} ${job.worker} ${job.why}`.toLowerCase(),
  },
  template: `
    <section class="panel jobs" aria-labelledby="jobs-title">
      <div class="bartop">
        <h2 id="jobs-title">Jobs</h2>
        <div class="filters" role="group" aria-label="Which jobs">
          <button v-for="(_, name) in FILTERS" :key="name" type="button" class="filter" :class="name"
            :aria-pressed="filter === name" @click="filter = name">{{ name }} <span class="num">{{ counts[name] }}</span></button>
        </div>
        <span v-if="lab.jobs.length >= lab.most" class="note">of the newest {{ lab.most }}</span>
        <input class="search" type="search" v-model="wanted" placeholder="Find" aria-label="Find a job" />
      </div>
      <p class="legend" aria-hidden="true"><span v-for="name in STAGES" :key="name"><i :class="name"></i>{{ STAGE_WORDS[name] }}</span></p>
      <div class="news"><span v-if="fresh" class="num">{{ fresh }} new</span></div>
      <div ref="scroll" class="scroll" tabindex="0" role="region" aria-label="List of jobs" @scroll.passive="scrolled"
        @pointerenter="look" @pointerleave="look" @focusin="look" @focusout="look">
        <ul class="rows" :style="{ height: shown.length * height + 'px' }">
          <Row v-for="(job, at) in drawn" :key="job.id" :style="{ transform: 'translateY(' + (first + at) * height + 'px)' }" :job="job" :place="first + at + 1" :count="shown.length" @open="$emit('open', $event)" @retry="$emit('retry', $event)" />
        </ul>
        <p v-if="!shown.length" class="empty">
          <template v-if="lab.link.state === 'starting'">Connecting to the API …</template>
          <template v-else-if="lab.jobs.length">No job fits. Choose <b>all</b>, or empty the field.</template>
          <template v-else><b>No jobs yet.</b> Drop pictures on the left, or send some from a terminal:
            <code>labctl bulk --count 100</code></template>
        </p>
      </div>
    </section>`,
};

export default {
  components: { Jobs },
  emits: ["open", "retry"],
  template: `<Jobs @open="$emit('open', $event)" @retry="$emit('retry', $event)" />`,
};
