// The Block Kit limits that Slack enforces with `invalid_blocks`, from Slack's reference of blocks. Pure.

import { isObject, type JsonObject, listOf, objectOf, textOf } from "../untrusted-json.ts";

const MAX_BLOCKS = 50;
const MAX_TEXT = 3_000;
const MAX_HEADER = 150;
const MAX_FIELDS = 10;
const MAX_FIELD = 2_000;
const MAX_CONTEXT_ELEMENTS = 10;
const MAX_ACTIONS = 25;
const MAX_BUTTON_TEXT = 75;
const MAX_URL = 3_000;
const MAX_ALT_TEXT = 2_000;
const MAX_BLOCK_ID = 255;

/** Only their type is checked, because Bursar sends none of them. */
const OTHER_TYPES = new Set(["rich_text", "input", "file", "video", "markdown", "table"]);

type Check = (block: JsonObject, where: string) => string[];

const CHECKS: Readonly<Record<string, Check>> = {
  divider: () => [],
  header: ({ text }, where) => checkText(text, `${where}.text`, MAX_HEADER, ["plain_text"]),
  section(block, where) {
    const { text, fields, accessory } = block;
    if (text === undefined && fields === undefined) return [`${where} has neither text nor fields`];
    return [
      ...(text === undefined ? [] : checkText(text, `${where}.text`, MAX_TEXT)),
      ...checkLength(fields, `${where}.fields`, { min: fields === undefined ? 0 : 1, max: MAX_FIELDS }),
      ...listOf(fields).flatMap((field, at) => checkText(field, `${where}.fields[${at}]`, MAX_FIELD)),
      ...checkButton(objectOf(accessory), `${where}.accessory`),
    ];
  },
  context: ({ elements }, where) => [
    ...checkLength(elements, `${where}.elements`, { min: 1, max: MAX_CONTEXT_ELEMENTS }),
    ...listOf(elements).flatMap((element, at) =>
      objectOf(element)["type"] === "image"
        ? checkImage(objectOf(element), `${where}.elements[${at}]`)
        : checkText(element, `${where}.elements[${at}]`, MAX_TEXT),
    ),
  ],
  actions: ({ elements }, where) => [
    ...checkLength(elements, `${where}.elements`, { min: 1, max: MAX_ACTIONS }),
    ...listOf(elements).flatMap((element, at) => checkButton(objectOf(element), `${where}.elements[${at}]`)),
  ],
  image: (block, where) => checkImage(block, where),
};

/** The problems for which Slack would refuse `blocks`, each with its place, such as `blocks[0].text: …`. */
export function blockProblems(blocks: unknown, where: string): string[] {
  if (blocks === undefined) return [];
  if (!Array.isArray(blocks)) return [`${where} is not a list`];
  const ids = blocks.map((block) => textOf(objectOf(block)["block_id"])).filter((id) => id !== "");
  return [
    ...checkLength(blocks, where, { min: 0, max: MAX_BLOCKS }),
    ...(new Set(ids).size < ids.length ? [`${where}: a block_id comes twice`] : []),
    ...ids
      .filter((id) => id.length > MAX_BLOCK_ID)
      .map(() => `${where}: a block_id exceeds ${MAX_BLOCK_ID} characters`),
    ...blocks.flatMap((block, at) => checkBlock(block, `${where}[${at}]`)),
  ];
}

function checkBlock(block: unknown, where: string): string[] {
  const type = textOf(objectOf(block)["type"]);
  if (!isObject(block) || type === "") return [`${where} has no type`];
  if (OTHER_TYPES.has(type)) return [];
  const check = Object.hasOwn(CHECKS, type) ? CHECKS[type] : undefined;
  return check === undefined ? [`${where}: there is no block ${JSON.stringify(type)}`] : check(block, where);
}

function checkLength(list: unknown, where: string, { min, max }: { min: number; max: number }): string[] {
  const { length } = listOf(list);
  if (length < min) return [`${where} is empty`];
  return length > max ? [`${where}: ${length} of at most ${max}`] : [];
}

function checkText(text: unknown, where: string, max: number, types = ["plain_text", "mrkdwn"]): string[] {
  const { type, text: content } = objectOf(text);
  if (!types.includes(textOf(type))) return [`${where}: the type must be ${types.join(" or ")}`];
  if (textOf(content) === "") return [`${where} is empty`];
  return checkSize(content, where, max);
}

function checkSize(text: unknown, where: string, max: number): string[] {
  const { length } = textOf(text);
  return length > max ? [`${where}: ${length} characters of at most ${max}`] : [];
}

function checkButton(button: JsonObject, where: string): string[] {
  if (button["type"] !== "button") return [];
  return [
    ...checkText(button["text"], `${where}.text`, MAX_BUTTON_TEXT, ["plain_text"]),
    ...checkSize(button["url"], `${where}.url`, MAX_URL),
  ];
}

function checkImage(image: JsonObject, where: string): string[] {
  const hasSource = textOf(image["image_url"]) !== "" || isObject(image["slack_file"]);
  return [
    ...(hasSource ? [] : [`${where} has no image_url`]),
    ...(textOf(image["alt_text"]) === "" ? [`${where} has no alt_text`] : []),
    ...checkSize(image["image_url"], `${where}.image_url`, MAX_URL),
    ...checkSize(image["alt_text"], `${where}.alt_text`, MAX_ALT_TEXT),
  ];
}
