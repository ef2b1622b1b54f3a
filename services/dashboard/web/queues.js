// What waits where, and who consumes it. The chart above comes from the server.
import { lab } from "/web/store.js";

const Queues = {
  data: () => ({ lab }),
  computed: {
    // Which ones are shown, the server decides: it knows the layout in force.
    rows: () => [...(lab.queues?.rows ?? [])].sort((a, b) => b.ready - a.ready || (a.name < b.name ? -1 : 1)),
    most() {
      return Math.max(1, ...this.rows.map((row) => row.ready));
    },
  },
  template: `
    <div class="queues">
      <p v-if="lab.queues?.error" class="problem" role="alert">{{ lab.queues.error }}</p>
      <ul class="depths">
        <li v-for="row in rows" :key="row.name" :class="row.kind">
          <span class="qname">{{ row.name }}</span>
          <span class="track" aria-hidden="true"><i :style="{ width: (100 * row.ready) / most + '%' }"></i></span>
          <span class="num ready">{{ row.ready }}</span>
          <span class="num consumers" :class="{ none: row.kind === 'work' && !row.consumers }">{{
            row.kind === "work" ? row.consumers + (row.consumers === 1 ? " consumer" : " consumers") : row.kind }}</span>
        </li>
      </ul>
    </div>`,
};

export default { components: { Queues }, template: `<Queues />` };
