import { Hono } from "hono";
import type { AppEnv } from "./app-env.ts";

export const deadLetterRoutes = new Hono<AppEnv>(); // not built yet
