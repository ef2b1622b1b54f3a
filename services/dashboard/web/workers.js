// Who works, and on what.
import { job, lab, span } from "/web/store.js";

const Workers = {
  emits: ["open"],
  data: () => ({ lab }),
  computed: {
    rows: () => lab.workers?.rows ?? [],
    busy() {
      return this.rows.filter((row) => row.state === "busy").length;
    },
  },
  methods: {
    span,
    state: (row) => (row.silent ? "silent" : row.state),
    name: (id) => (lab.jobs && job(id)?.name) || id,
    age: (row) => span(Math.max(0, (lab.now - row.started) * 1000)),
  },
  template: `
    <section class="panel workers" aria-labelledby="workers-title">
      <div class="bartop"><h2 id="workers-title">Workers</h2>
        <span class="note num" v-if="rows.length">{{ busy }} of {{ rows.length }} busy</span></div>
      <p v-if="lab.workers?.error" class="problem" role="alert">{{ lab.workers.error }}</p>
      <ul class="crew">
        <li v-for="row in rows" :key="row.instance" :class="state(row)" :data-instance="row.instance"
          :title="row.host + ', prefetch ' + row.prefetch + ', concurrency ' + row.concurrency + '\\n' + row.queues.join(', ')">
          <span class="status" :class="state(row)"><span class="dot" aria-hidden="true"></span>{{ row.instance }}</span>
          <span class="hand">
            <template v-if="row.silent">silent: killed, frozen or cut off</template>
            <template v-else-if="row.jobs.length"><button type="button" class="name" @click="$emit('open', row.jobs[0])">{{ name(row.jobs[0]) }}</button>
              <span class="note">{{ row.stage }}<template v-if="row.jobs.length > 1">, and {{ row.jobs.length - 1 }} more</template></span></template>
            <template v-else>{{ row.state }}</template>
          </span>
          <span class="num tally" :aria-label="row.done + ' done, ' + row.failed + ' failed, ' + row.retried + ' retried'">
            <b>{{ row.done }}</b><i v-if="row.failed" class="failed">{{ row.failed }} failed</i><i v-if="row.retried">{{ row.retried }} retried</i></span>
        </li>
      </ul>
      <p v-if="!rows.length && !lab.workers?.error" class="empty">
        <template v-if="!lab.workers">Listening …</template>
        <template v-else><b>No worker is heard.</b> Jobs wait in their queue. <code>labctl scale worker=2</code></template>
      </p>
    </section>`,
};

export default {
  components: { Workers },
  emits: ["open"],
  template: `<Workers @open="$emit('open', $event)" />`,
};
