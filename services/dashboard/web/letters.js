// What was given up, why, and its second chance.
import { clock, lab } from "/web/store.js";

const Letters = {
  emits: ["inspect", "replay", "replay_all", "purge"],
  data: () => ({ lab }),
  computed: {
    rows: () => lab.letters?.rows ?? [],
    count: () => lab.letters?.count ?? 0,
  },
  watch: {
    // A letter that is sent again goes, and the button under the keyboard's focus with it.
    async rows() {
      const list = this.$refs.list;
      const focused = [...list.children].findIndex((each) => each.contains(document.activeElement));
      if (focused < 0) return;
      const { activeElement } = document;
      await this.$nextTick();
      if (activeElement.isConnected) return;
      const next = list.children[Math.min(focused, list.children.length - 1)];
      (next?.querySelector(".act button:last-child") ?? this.$refs.title).focus();
    },
  },
  methods: { clock },
  template: `
    <section class="panel letters" aria-labelledby="letters-title">
      <div class="bartop"><h2 id="letters-title" ref="title" tabindex="-1">Dead letters</h2><span class="count num" :class="{ some: count }">{{ count }}</span>
        <span class="gap"></span>
        <button type="button" class="small" :disabled="!count" @click="$emit('replay_all')">Replay all</button>
        <button type="button" class="small danger" :disabled="!count" @click="$emit('purge')">Purge …</button></div>
      <p v-if="lab.letters?.error" class="problem" role="alert">{{ lab.letters.error }}</p>
      <ul ref="list" class="dead">
        <li v-for="row in rows" :key="row.id" :data-id="row.id">
          <div class="what"><b>{{ row.code || row.reason }}</b> <span class="note">{{ clock(row.at) }}<template v-if="row.attempts > 1"> · after {{ row.attempts }} attempts</template><template
            v-if="row.replays"> · replayed {{ row.replays }}×</template></span>
            <span class="why">{{ row.message || row.reason }}</span>
            <span class="ops">{{ row.operations.join(" · ") || row.origin }}</span></div>
          <span class="act"><button type="button" class="small" @click="$emit('inspect', row.id)" :aria-label="'Inspect ' + row.id">Inspect</button>
          <button v-if="row.job" type="button" class="small" @click="$emit('replay', row.id)" :aria-label="'Replay ' + row.id">Replay</button></span>
        </li>
      </ul>
      <p v-if="count > rows.length && rows.length" class="note more">and {{ count - rows.length }} more; Replay all sends them too</p>
      <p v-if="!count && !lab.letters?.error" class="empty">Nothing was given up. A job ends here when no retry can help:
        try <code>crop,5000,5000,10,10</code> on a small picture.</p>
    </section>`,
};

export default {
  components: { Letters },
  emits: ["inspect", "replay", "replay_all", "purge"],
  template: `<Letters @inspect="$emit('inspect', $event)" @replay="$emit('replay', $event)"
    @replay_all="$emit('replay_all')" @purge="$emit('purge')" />`,
};
