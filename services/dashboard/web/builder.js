// Operations, put together: which, in what order, with which arguments. The API says whether they are right.
import { ask } from "/web/store.js";

const CHECK_MS = 250;
const AGAIN_MS = 2000;

export const Builder = {
  emits: ["built"], // { text, fits }
  data: () => ({ catalogue: [], limit: 10, steps: [], next: 0, verdict: null, asked: 0, timer: 0 }),
  computed: {
    text() {
      return this.steps.map((step) => [step.name, ...this.given(step)].join(",")).join(";");
    },
  },
  watch: {
    text() {
      this.asked += 1; // what is on its way is about another text
      this.verdict = null;
      this.$emit("built", { text: this.text, fits: null });
      clearTimeout(this.timer);
      this.timer = setTimeout(this.check, CHECK_MS);
    },
  },
  async mounted() {
    await this.learn();
    this.check();
  },
  methods: {
    async learn() {
      try {
        const found = await ask("/operations");
        this.catalogue = found.operations;
        this.limit = found.max_operations;
      } catch {
        setTimeout(this.learn, AGAIN_MS);
      }
    },
    about(name) {
      return this.catalogue.find((each) => each.name === name) ?? { arguments: [], examples: [], summary: "" };
    },
    // What was typed, up to the last argument that is not empty; one in between takes its default.
    given(step) {
      const values = step.values.map((value, place) => value.trim() || this.about(step.name).arguments[place]?.default || "");
      while (values.length && !step.values[values.length - 1].trim()) values.pop();
      return values;
    },
    add(name) {
      const about = this.about(name);
      // Without a default there is an example to begin with.
      const example = about.examples[0]?.split(",").slice(1) ?? [];
      const values = about.arguments.map((each, place) =>
        each.many ? example.join(",") : each.required ? (example[place] ?? "") : "",
      );
      this.steps.push({ key: this.next++, name, values });
    },
    async chosen(event) {
      const name = event.target.value;
      event.target.value = "";
      if (!name) return;
      this.add(name);
      await this.$nextTick();
      this.$refs.steps.lastElementChild?.querySelector("input")?.focus();
    },
    move(place, by) {
      const [step] = this.steps.splice(place, 1);
      this.steps.splice(place + by, 0, step);
    },
    async remove(place) {
      this.steps.splice(place, 1);
      await this.$nextTick();
      const next = this.$refs.steps.children[Math.min(place, this.steps.length - 1)];
      (next?.querySelector(".moves button:last-child") ?? this.$refs.more).focus();
    },
    hint: (argument) => argument.default ?? (argument.required ? "needed" : argument.name),
    async check() {
      const number = ++this.asked;
      const text = this.text;
      let verdict;
      try {
        const found = await ask(`/check?operations=${encodeURIComponent(text)}`);
        verdict = { fits: true, told: found.operations.join(" · ") };
      } catch (error) {
        if (error.status === undefined || error.status >= 500) {
          this.timer = setTimeout(this.check, AGAIN_MS);
          return;
        }
        verdict = { fits: false, told: error.message };
      }
      if (number !== this.asked) return;
      this.verdict = verdict;
      this.$emit("built", { text, fits: verdict.fits });
    },
  },
  template: `
    <fieldset class="builder">
      <legend>Operations, in this order</legend>
      <ol ref="steps" class="steps">
        <li v-for="(step, place) in steps" :key="step.key" class="step">
          <span class="opname" :title="about(step.name).summary">{{ step.name }}</span>
          <span class="arguments">
            <input v-for="(argument, at) in about(step.name).arguments" :key="argument.name" v-model="step.values[at]"
              :placeholder="hint(argument)" :aria-label="step.name + ': ' + argument.name" :title="argument.name + ', e.g. ' + about(step.name).examples.join(' or ')"
              :class="{ wide: argument.many }" maxlength="200" autocomplete="off" spellcheck="false" />
          </span>
          <span class="moves">
            <button type="button" class="icon" :disabled="!place" @click="move(place, -1)" :aria-label="'Move ' + step.name + ' up'">↑</button>
            <button type="button" class="icon" :disabled="place === steps.length - 1" @click="move(place, 1)" :aria-label="'Move ' + step.name + ' down'">↓</button>
            <button type="button" class="icon" @click="remove(place)" :aria-label="'Remove ' + step.name">×</button>
          </span>
        </li>
      </ol>
      <select ref="more" @change="chosen" :disabled="steps.length >= limit" aria-label="Add an operation">
        <option value="">{{ steps.length >= limit ? "No more than " + limit : "Add an operation …" }}</option>
        <option v-for="each in catalogue" :key="each.name" :value="each.name" :title="each.summary">{{ each.name }}: {{ each.summary }}</option>
      </select>
      <p class="verdict" :class="{ bad: verdict && !verdict.fits }" role="status">
        <template v-if="verdict">{{ verdict.told }}</template><template v-else>…</template></p>
    </fieldset>`,
};
