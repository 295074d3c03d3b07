CREATE EXTENSION IF NOT EXISTS "pg_trgm";--> statement-breakpoint
-- All tables at once, before the long work. With a lock on one of them, this transaction would wait for changes that
-- hold another one and wait for this: a deadlock after the indexes are built. A failed attempt releases what it has.
DO $$ BEGIN
	FOR attempt IN 1..300 LOOP
		BEGIN
			PERFORM set_config('lock_timeout', '200ms', true);
			LOCK TABLE "tenant_configs", "tenant_spend", "budget_overrides", "notification_channels",
				"notice_deliveries", "budget_alert_history", "platform_alerts", "audit_log" IN ACCESS EXCLUSIVE MODE;
			PERFORM set_config('lock_timeout', '0', true);
			RETURN;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			PERFORM pg_sleep(0.1);
		END;
	END LOOP;
	RAISE lock_not_available USING message = 'other transactions keep the tables locked';
END $$;
--> statement-breakpoint
CREATE INDEX "idx_audit_log_at" ON "audit_log" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_tenant_at" ON "audit_log" USING btree ("tenant_id","at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_action_at" ON "audit_log" USING btree ("action","at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_actor_at" ON "audit_log" USING btree ("actor","at","id");--> statement-breakpoint
CREATE INDEX "idx_platform_alerts_created" ON "platform_alerts" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "idx_budget_alerts_event" ON "budget_alert_history" USING btree ("event_type","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_updated" ON "notice_deliveries" USING btree ("updated_at");--> statement-breakpoint
CREATE TABLE "counted_webhooks" (
	"id" text PRIMARY KEY NOT NULL,
	"counted_at" timestamp (3) with time zone NOT NULL
);--> statement-breakpoint
CREATE TABLE "tenant_state_counts" (
	"reason" text NOT NULL,
	"tenants" bigint NOT NULL
);--> statement-breakpoint
CREATE TABLE "tenant_states" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"reason" text DEFAULT 'spend_unknown' NOT NULL,
	"used" integer DEFAULT -1 NOT NULL,
	CONSTRAINT "tenant_states_reason_known" CHECK ("tenant_states"."reason" in ('within_budget', 'over_threshold', 'over_limit', 'over_grace', 'zero_limit', 'suspended', 'litellm_blocked', 'spend_unknown', 'subject_missing'))
);--> statement-breakpoint
ALTER TABLE "tenant_configs" DROP CONSTRAINT "tenant_configs_subject_unique";--> statement-breakpoint
DROP INDEX "idx_audit_log_tenant";--> statement-breakpoint
DROP INDEX "idx_notification_channels_tenant";--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "settings_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_states" ADD CONSTRAINT "tenant_states_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_counted_webhooks_counted" ON "counted_webhooks" USING btree ("counted_at");--> statement-breakpoint
CREATE INDEX "idx_tenant_states_used" ON "tenant_states" USING btree ("reason","used" DESC NULLS FIRST,"tenant_id");--> statement-breakpoint
CREATE INDEX "idx_tenant_states_reason" ON "tenant_states" USING btree ("reason","tenant_id");--> statement-breakpoint
CREATE INDEX "idx_tenant_states_unknown" ON "tenant_states" USING btree ("tenant_id") WHERE "tenant_states"."used" = -1;--> statement-breakpoint
CREATE INDEX "idx_budget_overrides_created" ON "budget_overrides" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_notification_channels_created" ON "notification_channels" USING btree ("created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE UNIQUE INDEX "tenant_configs_subject_unique" ON "tenant_configs" USING btree ("subject_kind","subject_id") WHERE "tenant_configs"."deleted_at" is null or "tenant_configs"."litellm_sync" = 'pending';--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_deleted" ON "tenant_configs" USING btree ("deleted_at") WHERE "tenant_configs"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_leased" ON "tenant_configs" USING btree ("read_leased_until") WHERE "tenant_configs"."read_leased_until" is not null;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_search" ON "tenant_configs" USING gin ((tenant_id || E'\n' || coalesce(name, '')) gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "idx_notification_channels_tenant" ON "notification_channels" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");
--> statement-breakpoint
-- Beyond the difference of the schema: the rule of the states, and the triggers that keep them.
--
-- The state of each living tenant, by the rule of `stateAt` (src/budget/verdict.ts), exactly: with numerics only, and by
-- multiplying percentages out instead of dividing. An override counts until its end is recorded, so that the rule
-- needs no clock.
CREATE FUNCTION "compute_tenant_states"("ids" text[]) RETURNS TABLE ("tenant_id" text, "reason" text, "used" integer)
LANGUAGE sql STABLE AS $$
	select c.tenant_id,
		case
			when c.suspended_at is not null then 'suspended'
			when c.litellm_blocked_at is not null then 'litellm_blocked'
			when l.amount = 0 then 'zero_limit'
			when f.spend * 100 >= l.amount * c.grace_threshold then 'over_grace'
			when c.subject_missing_at is not null then 'subject_missing'
			when f.spend is null then 'spend_unknown'
			when f.spend >= l.amount then 'over_limit'
			when f.spend * 100 >= l.amount * c.alert_threshold then 'over_threshold'
			else 'within_budget' end,
		case when f.spend is null or l.amount = 0 then -1
			else least(div(f.spend * 10000, l.amount), 2147483647)::integer end
	from unnest(ids) as u(id)
	join public.tenant_configs c on c.tenant_id = u.id
	left join public.tenant_spend f on f.tenant_id = c.tenant_id
	cross join lateral (select c.max_budget + coalesce((select sum(o.override_amount) from public.budget_overrides o
		where o.tenant_id = c.tenant_id and o.end_noted_at is null), 0) as amount) l
	where c.deleted_at is null
$$;
--> statement-breakpoint
-- Takes the locks in one order before it reads: of two transactions that change what a state follows from, the second
-- one then sees what the first has committed.
CREATE FUNCTION "refresh_tenant_states"("ids" text[]) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
begin
	perform from tenant_states s where s.tenant_id in (select unnest(ids)) order by s.tenant_id for no key update;
	update tenant_states s set reason = n.reason, used = n.used from compute_tenant_states(ids) n
		where s.tenant_id = n.tenant_id and (s.reason, s.used) is distinct from (n.reason, n.used);
end $$;
--> statement-breakpoint
CREATE FUNCTION "tenant_configs_changed"() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
declare
	ids text[];
begin
	if tg_op = 'INSERT' then
		select array_agg(n.tenant_id order by n.tenant_id) into ids from new_rows n where n.deleted_at is null;
	else
		select array_agg(n.tenant_id order by n.tenant_id) into ids
		from new_rows n join old_rows o on o.tenant_id = n.tenant_id
		where (n.max_budget, n.alert_threshold, n.grace_threshold, n.suspended_at is null, n.litellm_blocked_at is null,
				n.subject_missing_at is null, n.deleted_at is null)
			is distinct from (o.max_budget, o.alert_threshold, o.grace_threshold, o.suspended_at is null,
				o.litellm_blocked_at is null, o.subject_missing_at is null, o.deleted_at is null);
	end if;
	if ids is null then return null; end if;
	insert into tenant_states (tenant_id) select c.tenant_id from tenant_configs c
		where c.tenant_id in (select unnest(ids)) and c.deleted_at is null order by c.tenant_id on conflict (tenant_id) do nothing;
	perform refresh_tenant_states(ids);
	delete from tenant_states s using tenant_configs c
		where s.tenant_id in (select unnest(ids)) and c.tenant_id = s.tenant_id and c.deleted_at is not null;
	return null;
end $$;
--> statement-breakpoint
CREATE FUNCTION "tenant_spend_changed"() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
declare
	ids text[];
begin
	if tg_op = 'INSERT' then
		select array_agg(tenant_id order by tenant_id) into ids from new_rows;
	elsif tg_op = 'DELETE' then
		select array_agg(tenant_id order by tenant_id) into ids from old_rows;
	else
		select array_agg(n.tenant_id order by n.tenant_id) into ids
		from new_rows n join old_rows o on o.tenant_id = n.tenant_id where n.spend <> o.spend;
	end if;
	if ids is not null then perform refresh_tenant_states(ids); end if;
	return null;
end $$;
--> statement-breakpoint
CREATE FUNCTION "budget_overrides_changed"() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
declare
	ids text[];
begin
	if tg_op = 'INSERT' then
		select array_agg(distinct tenant_id order by tenant_id) into ids from new_rows;
	elsif tg_op = 'DELETE' then
		select array_agg(distinct tenant_id order by tenant_id) into ids from old_rows where end_noted_at is null;
	else
		select array_agg(distinct n.tenant_id order by n.tenant_id) into ids
		from new_rows n join old_rows o on o.id = n.id
		where (n.override_amount, n.end_noted_at is null) is distinct from (o.override_amount, o.end_noted_at is null);
	end if;
	if ids is not null then perform refresh_tenant_states(ids); end if;
	return null;
end $$;
--> statement-breakpoint
-- Takes the counts of the changed reasons that no other transaction has locked, and puts one of each in their place.
CREATE FUNCTION "tenant_states_changed"() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
declare
	changes jsonb;
begin
	if tg_op = 'TRUNCATE' then
		delete from tenant_state_counts;
		return null;
	elsif tg_op = 'INSERT' then
		select jsonb_object_agg(reason, n) into changes from (select reason, count(*) as n from new_rows group by reason) c;
	elsif tg_op = 'DELETE' then
		select jsonb_object_agg(reason, n) into changes from (select reason, -count(*) as n from old_rows group by reason) c;
	else
		select jsonb_object_agg(reason, n) into changes from (select reason, sum(one) as n from
			(select reason, 1 as one from new_rows union all select reason, -1 from old_rows) r
			group by reason having sum(one) <> 0) c;
	end if;
	if changes is null then return null; end if;
	with taken as (delete from tenant_state_counts where ctid = any(array(
			select k.ctid from tenant_state_counts k where changes ? k.reason for update skip locked))
		returning reason, tenants)
	insert into tenant_state_counts (reason, tenants)
	select reason, sum(tenants) from (select reason, tenants from taken
		union all select key, value::bigint from jsonb_each_text(changes)) c
	group by reason having sum(tenants) <> 0;
	return null;
end $$;
--> statement-breakpoint
CREATE TRIGGER "tenant_states_inserted" AFTER INSERT ON "tenant_states" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_states_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_states_updated" AFTER UPDATE ON "tenant_states"
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "tenant_states_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_states_deleted" AFTER DELETE ON "tenant_states" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_states_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_states_truncated" AFTER TRUNCATE ON "tenant_states"
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_states_changed"();
--> statement-breakpoint
INSERT INTO "tenant_states" ("tenant_id", "reason", "used")
	SELECT * FROM "compute_tenant_states"((SELECT array_agg("tenant_id") FROM "tenant_configs"));
--> statement-breakpoint
CREATE TRIGGER "tenant_configs_inserted" AFTER INSERT ON "tenant_configs" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_configs_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_configs_updated" AFTER UPDATE ON "tenant_configs"
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "tenant_configs_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_spend_inserted" AFTER INSERT ON "tenant_spend" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_spend_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_spend_updated" AFTER UPDATE ON "tenant_spend"
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "tenant_spend_changed"();
--> statement-breakpoint
CREATE TRIGGER "tenant_spend_deleted" AFTER DELETE ON "tenant_spend" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "tenant_spend_changed"();
--> statement-breakpoint
CREATE TRIGGER "budget_overrides_inserted" AFTER INSERT ON "budget_overrides" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "budget_overrides_changed"();
--> statement-breakpoint
CREATE TRIGGER "budget_overrides_updated" AFTER UPDATE ON "budget_overrides"
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "budget_overrides_changed"();
--> statement-breakpoint
CREATE TRIGGER "budget_overrides_deleted" AFTER DELETE ON "budget_overrides" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "budget_overrides_changed"();
