// How drizzle-kit makes migrations from the schema and applies them.
// `generate` needs no database; everything else takes DATABASE_URL, the direct one (a pooler breaks long transactions).

import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./src/adapters/postgres/schema/*.ts",
  out: "./migrations",
  dbCredentials: { url: process.env["DATABASE_URL"] ?? "" },
});
