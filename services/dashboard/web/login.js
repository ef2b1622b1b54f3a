// Who are you: log in, or make an account. The password goes to the API, and the token stays on the server.
import { ask } from "/web/store.js";

export default {
  data: () => ({ making: false, username: "", password: "", error: "", note: "", busy: false }),
  methods: {
    turn() {
      this.making = !this.making;
      this.error = this.note = "";
    },
    async submit() {
      this.busy = true;
      this.error = this.note = "";
      const options = {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Queue-Lab": "page" },
        body: JSON.stringify({ username: this.username, password: this.password }),
      };
      try {
        if (this.making) await ask("/account", options);
        await ask("/session", options);
        location.assign("/");
      } catch (error) {
        this.error = error.message;
        this.busy = false;
      }
    },
  },
  template: `
    <main class="login">
      <form class="panel" @submit.prevent="submit">
        <h1><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Queue Lab</h1>
        <label>Name <input v-model="username" name="username" autocomplete="username" required maxlength="100" autofocus /></label>
        <label>Password <input v-model="password" name="password" type="password" required maxlength="200"
          :autocomplete="making ? 'new-password' : 'current-password'" /></label>
        <p class="problem" role="alert" v-if="error">{{ error }}</p>
        <button type="submit" class="main" :disabled="busy">{{ making ? "Make an account" : "Log in" }}</button>
        <button type="button" class="quiet" @click="turn">{{ making ? "I have an account" : "Make an account" }}</button>
      </form>
    </main>`,
};
