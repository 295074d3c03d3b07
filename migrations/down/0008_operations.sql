-- Rolls 0008_operations back. Idempotency keys sent so far no longer tell two bodies apart without Redis.
ALTER TABLE "audit_log" DROP COLUMN "request_hash";
