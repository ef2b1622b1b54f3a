// Where patches from the server arrive. Each is acknowledged, and the next one comes only after that:
// a browser that is slow gets fewer of them.
import { take } from "/web/store.js";

export default {
  props: ["first"],
  template: `<span hidden></span>`,
  created() {
    if (this.first) take(this.first);
  },
  methods: {
    take(patch) {
      take(patch);
      if (patch.link?.state === "login") location.assign("/login");
      this.$nextTick(() => requestAnimationFrame(() => this.$emit("taken", patch.rev)));
    },
  },
};
