-- Takes 0005_blocks away: a block whose mark is lost in LiteLLM's metadata is taken for somebody else's again.
ALTER TABLE "tenant_configs" DROP COLUMN "litellm_has_blocked";
