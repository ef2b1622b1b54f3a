// Pictures on their way in: dropped or chosen, looked at, sent, and what became of each.
import { ask, bytes } from "/web/store.js";
import { Builder } from "/web/builder.js";

const AT_ONCE = 3;
const PREVIEWS = 12;
const MAX_FILES = 500;
const MAX_COPIES = 100;
const DRAGS = ["dragenter", "dragover", "dragleave", "drop"];

// crypto.randomUUID is there on https and on this computer only.
const word = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const Sender = {
  components: { Builder },
  data: () => ({ items: [], over: 0, copies: 1, priority: 0, operations: { text: "", fits: null }, sending: false, note: "", next: 0 }),
  computed: {
    shown() {
      return this.items.slice(0, PREVIEWS);
    },
    ready() {
      return this.items.filter((item) => item.state !== "sent");
    },
    refused() {
      return this.items.filter((item) => item.state === "refused");
    },
    sent() {
      return this.items.reduce((sum, item) => sum + item.done, 0);
    },
    jobs() {
      return this.ready.length * this.times;
    },
    times() {
      return Math.min(MAX_COPIES, Math.max(1, Math.round(Number(this.copies)) || 1));
    },
  },
  methods: {
    bytes,
    take(files) {
      if (!this.sending && this.items.every((item) => item.state === "sent")) this.clear();
      const room = MAX_FILES - this.items.length;
      const taken = [...files].slice(0, room);
      this.note = files.length > room ? `${MAX_FILES} files at once are the limit; the rest was left out.` : "";
      for (const file of taken) {
        const preview = this.items.length < PREVIEWS ? URL.createObjectURL(file) : "";
        this.items.push({ key: this.next++, file, preview, state: "ready", why: "", done: 0, word: word() });
      }
    },
    chosen(event) {
      this.take(event.target.files);
      event.target.value = "";
    },
    // Anywhere on the page: a browser would else open what is dropped beside the field, in place of the page.
    dragged(event) {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (event.type === "dragenter") this.over += 1;
      if (event.type === "dragleave") this.over -= 1;
      if (event.type === "drop") {
        this.over = 0;
        this.take(event.dataTransfer.files);
      }
    },
    pasted(event) {
      if (event.clipboardData.files.length) this.take(event.clipboardData.files);
    },
    async drop(item, place) {
      URL.revokeObjectURL(item.preview);
      this.items = this.items.filter((each) => each !== item);
      await this.$nextTick();
      const next = this.$refs.tray?.children[Math.min(place, this.shown.length - 1)];
      (next?.querySelector(".off") ?? this.$refs.files).focus();
    },
    clear() {
      for (const item of this.items) URL.revokeObjectURL(item.preview);
      this.items = [];
      this.note = "";
    },
    async send() {
      this.sending = true;
      const waiting = [...this.ready];
      // As it was when the button was pressed: what is changed meanwhile is for the next time.
      const how = { operations: this.operations.text, priority: this.priority, times: this.times };
      const work = async () => {
        for (let item = waiting.shift(); item; item = waiting.shift()) await this.sendOne(item, how);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      this.sending = false;
    },
    async sendOne(item, { operations, priority, times }) {
      item.state = "sending";
      item.why = "";
      try {
        while (item.done < times) {
          const form = new FormData();
          form.append("operations", operations);
          form.append("priority", String(priority));
          form.append("file", item.file, item.file.name);
          // Sent again after an answer that got lost, it is the same job.
          const headers = { "Idempotency-Key": `${item.word}-${item.done}`, "X-Queue-Lab": "page" };
          await ask("/send", { method: "POST", body: form, headers });
          item.done += 1;
        }
        item.state = "sent";
      } catch (error) {
        item.state = "refused";
        item.why = error.message;
        if (error.code === "idempotency_conflict") item.word = word();
      }
    },
  },
  mounted() {
    document.addEventListener("paste", this.pasted);
    for (const name of DRAGS) document.addEventListener(name, this.dragged);
  },
  unmounted() {
    document.removeEventListener("paste", this.pasted);
    for (const name of DRAGS) document.removeEventListener(name, this.dragged);
    this.clear();
  },
  template: `
    <section class="panel sender" aria-labelledby="sender-title">
      <div class="bartop"><h2 id="sender-title">Send pictures</h2></div>
      <form @submit.prevent="send">
        <label class="drop" :class="{ over }">
          <input ref="files" type="file" multiple accept="image/*" @change="chosen" class="unseen" aria-label="Choose pictures" />
          <b>Drop pictures here</b><span>or <u>choose files</u>, or paste one</span>
        </label>
        <div class="tray" v-if="items.length">
          <ul ref="tray" class="previews" aria-label="Pictures to send">
            <li v-for="(item, place) in shown" :key="item.key" :class="item.state" :title="item.file.name + ', ' + bytes(item.file.size) + (item.why ? '\\n' + item.why : '')">
              <img v-if="item.preview" :src="item.preview" :alt="item.file.name" decoding="async" />
              <span class="badge" v-if="item.state !== 'ready'" aria-hidden="true">{{ { sending: "…", sent: "✓", refused: "!" }[item.state] }}</span>
              <button v-if="item.state !== 'sending'" type="button" class="off" @click="drop(item, place)" :aria-label="'Leave out ' + item.file.name">×</button>
            </li>
            <li v-if="items.length > shown.length" class="rest num">+{{ items.length - shown.length }}</li>
          </ul>
          <p v-if="note" class="problem">{{ note }}</p>
          <ul v-if="refused.length" class="refusals" role="alert">
            <li v-for="item in refused.slice(0, 5)" :key="item.key"><b>{{ item.file.name }}</b> {{ item.why }}</li>
            <li v-if="refused.length > 5">and {{ refused.length - 5 }} more</li>
          </ul>
        </div>
        <Builder @built="operations = $event" />
        <div class="how">
          <label>Copies <input type="number" v-model="copies" min="1" :max="100" inputmode="numeric" /></label>
          <label>Priority <input type="number" v-model="priority" min="0" max="9" inputmode="numeric" title="9 goes first; RabbitMQ before 4.0 ignores it" /></label>
          <button type="submit" class="main" :disabled="sending || !ready.length || operations.fits !== true">
            <template v-if="sending">Sending …</template>
            <template v-else-if="jobs">Send {{ jobs }} {{ jobs === 1 ? "job" : "jobs" }}</template>
            <template v-else>Send</template></button>
        </div>
        <p class="note outcome" role="status">{{ sent ? sent + (sent === 1 ? " job" : " jobs") + " accepted" : "" }}</p>
      </form>
    </section>`,
};

export default { components: { Sender }, template: `<Sender />` };
