// The header: whether everything is well, what goes wrong on purpose, and how the page looks.
import { clock, lab } from "/web/store.js";

const LOOKS = ["auto", "light", "dark"];

const Status = {
  props: ["username", "role"],
  emits: ["logout"],
  data: () => ({ lab, look: localStorage.getItem("look") ?? "auto" }),
  computed: {
    checks: () => lab.health?.rows ?? [],
    broken() {
      return this.checks.filter((check) => !check.ok);
    },
    state() {
      if (lab.link.state === "starting") return ["wait", "connecting"];
      if (lab.link.state !== "up") return ["bad", "API away"];
      if (this.broken.length) return ["bad", "unhealthy"];
      return this.checks.length ? ["good", "healthy"] : ["wait", "looking"];
    },
    details() {
      return this.checks.map((check) => `${check.name}: ${check.detail}`).join("\n");
    },
  },
  methods: {
    clock,
    turn() {
      this.look = LOOKS[(LOOKS.indexOf(this.look) + 1) % LOOKS.length];
      localStorage.setItem("look", this.look);
      window.labLook();
    },
  },
  template: `
    <header class="head">
      <h1><a class="brand" href="/"><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Queue Lab</a></h1>
      <p class="health" :class="state[0]" role="status" :title="details">
        <span class="dot" aria-hidden="true"></span>{{ state[1] }}
        <span v-for="check in checks" :key="check.name" class="check" :class="{ bad: !check.ok }">{{ check.name }}</span>
      </p>
      <p v-if="lab.faults?.rows?.length" class="faults" role="status">
        <b>Faults on</b><span v-for="fault in lab.faults.rows" :key="fault">{{ fault }}</span>
      </p>
      <span class="gap"></span>
      <button class="quiet" type="button" @click="turn" title="Turn to the next: auto, light, dark">Colours: {{ look }}</button>
      <template v-if="username">
        <span class="who"><b>{{ username }}</b><span v-if="role === 'admin'" class="tag">admin</span></span>
        <button class="quiet" type="button" @click="$emit('logout')">Log out</button>
      </template>
    </header>
    <div class="banner bad" role="alert" v-if="lab.link.state === 'away'">
      <b>No news from the API since {{ clock(lab.link.since) }}.</b> {{ lab.link.text }}
      What you see is how it was; it goes on by itself when the API is back.
    </div>
    <div class="banner bad" role="alert" v-else-if="broken.length">
      <span v-for="check in broken" :key="check.name"><b>{{ check.name }}:</b> {{ check.detail }} </span>
    </div>`,
};

// NiceGUI draws what it knows anew whenever any of its elements changes; behind this, only our own data counts.
export default {
  components: { Status },
  props: ["username", "role"],
  emits: ["logout"],
  template: `<Status :username="username" :role="role" @logout="$emit('logout')" />`,
};
