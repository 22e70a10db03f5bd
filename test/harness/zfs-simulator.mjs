// What a `zfs` would do that has no pools, for where there is no OpenZFS: node zfs-simulator.mjs FOLDER zfs|zpool ARG…
//
// It knows as much of datasets, snapshots, bookmarks, holds, keys, streams and resume tokens as replication asks for. Contents of a snapshot are one
// file. Whether it may be asked so is seen to before (zfs-stub.ts). FOLDER/log has the arguments of each call, a line of JSON for each.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";

const [folder, program, ...argv] = process.argv.slice(2);

/** Flags that have a value, by command. */
const VALUED = { get: "dots", list: "dost", send: "iIt", receive: "ox", create: "o", snapshot: "o" };

/** Flags with their values, and the other words. */
function read(command, words) {
  const flags = {};
  const left = [...words];
  while (left[0]?.startsWith("-")) {
    for (const letter of left.shift().slice(1)) {
      if (VALUED[command]?.includes(letter)) flags[letter] = [...(flags[letter] ?? []), left.shift()];
      else flags[letter] = true;
    }
  }
  return { flags, words: left };
}

const fail = (words, status = 1) => {
  process.stderr.write(`${words}\n`);
  process.exit(status);
};

// ---- State

const file = join(folder, "state");
const state = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { txg: 10, made: 0, datasets: {} };
const save = () => {
  writeFileSync(`${file}-${process.pid}`, JSON.stringify(state));
  renameSync(`${file}-${process.pid}`, file);
};
const bytesOf = (guid) => readFileSync(join(folder, `data-${guid}`));
const keep = (guid, bytes) => writeFileSync(join(folder, `data-${guid}`), bytes);
const digest = (bytes) => createHash("sha256").update(bytes).digest();
/** What the disk has of it; the cipher is its own inverse. */
const cipher = (bytes) => Buffer.from(bytes.map((byte) => byte ^ 0x5a));

const dataset = (name) => state.datasets[name] ?? fail(`cannot open '${name}': dataset does not exist`);
const split = (name) => /^([^@#]+)([@#])(.+)$/.exec(name)?.slice(1) ?? [name];
const point = (name) => {
  const [of, mark, own] = split(name);
  const all = mark === "#" ? dataset(of).bookmarks : dataset(of).snapshots;
  return all.find((one) => one.name === own) ?? fail(`cannot open '${name}': dataset does not exist`);
};
const newGuid = (of) =>
  BigInt(
    `0x${digest(`${folder} ${of} ${state.made++}`)
      .toString("hex")
      .slice(0, 16)}`,
  ).toString();
/** It and all below it. */
const within = (root) => {
  dataset(root);
  return Object.keys(state.datasets)
    .filter((name) => name === root || name.startsWith(`${root}/`))
    .sort();
};
const clear = (of) => of.encryption !== "off" && !of.keyLoaded;

// ---- Commands

const tokenOf = (partial) => `1-stub-${Buffer.from(JSON.stringify(partial)).toString("base64url")}`;
const readToken = (token) => {
  try {
    return JSON.parse(Buffer.from(/^1-stub-(.+)$/.exec(token)[1], "base64url").toString());
  } catch {
    return fail("cannot resume send: resume token is corrupt (invalid or unsupported)");
  }
};

/** One snapshot as it stands in a stream: so much of what the disk has as the flags allow. */
function packed(of, snapshot, { raw, compressed }) {
  let bytes = bytesOf(snapshot.guid);
  if (raw) return bytes;
  if (clear(of)) fail(`cannot send ${snapshot.name}: dataset key must be loaded`);
  if (of.encryption !== "off") bytes = cipher(bytes);
  return compressed ? bytes : inflateRawSync(bytes);
}

/** The snapshots of a stream, with that which comes before each. */
function itemsOf(flags, name) {
  const [of, , own] = split(name);
  const source = dataset(of);
  const all = source.snapshots;
  const last = point(name);
  const range = flags.I ?? flags.i;
  if (!range) return [{ from: undefined, snapshot: last }];
  const base = point(range[0]);
  if (flags.I && range[0].includes("#")) fail(`invalid snapshot name '${range[0]}'`, 2);
  const after = all.filter(({ createtxg }) => createtxg > base.createtxg && createtxg <= last.createtxg);
  if (after.at(-1)?.name !== own) fail(`cannot send '${name}': not an earlier snapshot from the same fs`);
  const chosen = flags.I ? after : [last];
  return chosen.map((snapshot, index) => ({
    from: index === 0 ? base.guid : chosen[index - 1].guid,
    snapshot,
  }));
}

function send({ flags, words }) {
  if (flags.t) {
    const token = readToken(flags.t[0]);
    if (flags.n) {
      process.stdout.write(
        `resume token contents:\nnvlist version: 0\n\tobject = 0x1\n\toffset = 0x0\n\tbytes = 0x${token.bytes.toString(16)}\n\ttoguid = 0x${BigInt(token.guid).toString(16)}\n\ttoname = ${token.name}\n`,
      );
      return;
    }
    const [of, , own] = split(token.name);
    const snapshot = state.datasets[of]?.snapshots.find(
      ({ name, guid }) => name === own && guid === token.guid,
    );
    if (!snapshot) fail(`cannot resume send: '${token.name}' used in the initial send no longer exists`);
    return write(dataset(of), of, [{ from: token.from, snapshot }], token, token.bytes);
  }
  const [name] = words;
  const [of] = split(name);
  const form = { raw: flags.w === true, compressed: flags.c === true || flags.w === true };
  const items = itemsOf(flags, name);
  if (flags.n) {
    const size = items.reduce((sum, { snapshot }) => sum + packed(dataset(of), snapshot, form).length, 0);
    process.stdout.write(`${flags.i || flags.I ? "incremental" : "full"}\t${name}\t${size}\nsize\t${size}\n`);
    return;
  }
  write(dataset(of), of, items, form, 0);
}

function write(source, of, items, { raw, compressed }, skip) {
  const heads = items.map(({ from, snapshot }) => {
    const bytes = packed(source, snapshot, { raw, compressed });
    const { name, guid, creation } = snapshot;
    return { head: { name: `${of}@${name}`, guid, creation, from, size: bytes.length }, bytes };
  });
  const about = { raw, compressed, skip, encryption: source.encryption, kind: source.kind };
  process.stdout.write(`${JSON.stringify({ ...about, items: heads.map(({ head }) => head) })}\n`);
  for (const { bytes } of heads) {
    process.stdout.write(bytes.subarray(skip));
    process.stdout.write(digest(bytes));
  }
}

async function receive({ flags, words }) {
  if (flags.A) {
    const [name] = words;
    const target = dataset(name);
    if (!target.partial) fail(`'${name}' does not have any resumable receive state to abort`);
    delete target.partial;
    if (target.snapshots.length === 0) delete state.datasets[name];
    return save();
  }
  const [name] = words;
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  let rest = Buffer.concat(chunks);
  const end = rest.indexOf("\n");
  if (end < 0) fail(`cannot receive: failed to read from stream`);
  const { items, raw, compressed, skip, encryption, kind } = JSON.parse(rest.subarray(0, end).toString());
  rest = rest.subarray(end + 1);
  const there = state.datasets[name];
  if (!there && !state.datasets[name.slice(0, name.lastIndexOf("/"))])
    fail(`cannot open '${name}': dataset does not exist`);
  const given = (flags.o ?? []).map((one) => one.split("="));
  const target = there ?? {
    ...{ kind, guid: newGuid(name), createtxg: state.txg++, creation: Math.floor(Date.now() / 1000) },
    ...{ encryption: raw ? encryption : "off", keyLoaded: false, snapshots: [], bookmarks: [] },
    properties: Object.fromEntries(given),
    excluded: flags.x ?? [],
  };
  for (const [index, { name: full, guid, creation, from, size }] of items.entries()) {
    const newest = target.snapshots.at(-1);
    if (from === undefined && newest)
      fail(
        `cannot receive new filesystem stream: destination '${name}' exists\nmust specify -F to overwrite it`,
      );
    if (from !== undefined && newest?.guid !== from)
      fail(
        `cannot receive incremental stream: most recent snapshot of ${name} does not\nmatch incremental source`,
      );
    if (newest && raw !== (target.encryption !== "off"))
      fail(`cannot receive incremental stream: encrypted and raw streams cannot be mixed`);
    const before = index === 0 && skip > 0 ? bytesOf(`partial-${target.guid}`) : Buffer.alloc(0);
    if (target.partial && skip === 0)
      fail(`cannot receive: destination ${name} contains partially-complete state from "zfs receive -s".`);
    const wanted = size - before.length;
    const body = Buffer.concat([before, rest.subarray(0, wanted)]);
    const sum = rest.subarray(wanted, wanted + 32);
    const isWhole = body.length === size && sum.equals(digest(body));
    if (!isWhole) {
      if (flags.s && body.length < size) {
        target.partial = { name: full, guid, from, raw, compressed, bytes: body.length };
        keep(`partial-${target.guid}`, body);
        state.datasets[name] = target;
        save();
      }
      fail(
        "cannot receive new filesystem stream: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.",
      );
    }
    rest = rest.subarray(wanted + 32);
    delete target.partial;
    const [, , own] = split(full);
    target.snapshots.push({ name: own, guid, creation, createtxg: state.txg++, holds: [] });
    keep(guid, compressed ? body : deflateRawSync(body));
    state.datasets[name] = target;
    save();
  }
}

function propertyOf(name, property) {
  const [of, mark] = split(name);
  const one = mark ? point(name) : dataset(of);
  switch (property) {
    case "type":
      return mark ? { "@": "snapshot", "#": "bookmark" }[mark] : one.kind;
    case "guid":
    case "createtxg":
    case "creation":
      return String(one[property]);
    case "userrefs":
      return mark === "@" ? String(one.holds.length) : undefined;
    case "written":
      return String(one.dirty ?? 0);
    case "encryption":
      return one.encryption;
    case "keystatus":
      return one.encryption === "off" ? "-" : one.keyLoaded ? "available" : "unavailable";
    case "receive_resume_token":
      return one.partial ? tokenOf(one.partial) : "-";
    case "available":
      return "1000000000";
    case "compression":
      return one.properties?.compression ?? "on";
    case "compressratio":
      return "2.00";
    default:
      return (
        one.properties?.[property] ?? { canmount: "on", readonly: "off", mountpoint: `/${of}` }[property]
      );
  }
}

function get({ flags, words }) {
  const [wanted, root] = words;
  const types = (flags.t?.[0] ?? "filesystem,volume,snapshot,bookmark").split(",");
  const depth = flags.d ? Number(flags.d[0]) : flags.r ? Number.POSITIVE_INFINITY : 0;
  const [of, mark] = split(root);
  const names = mark ? [root] : within(of);
  const level = (name) => name.split("/").length - of.split("/").length;
  const all = names.flatMap((name) => {
    if (mark) return [name];
    const own = level(name) <= depth ? [name] : [];
    if (level(name) >= depth && !flags.r) return own;
    const { snapshots, bookmarks } = state.datasets[name];
    return [
      ...own,
      ...snapshots.map((one) => `${name}@${one.name}`),
      ...bookmarks.map((one) => `${name}#${one.name}`),
    ];
  });
  const columns = (flags.o?.[0] ?? "name,property,value,source").split(",");
  for (const name of all) {
    if (!types.includes(propertyOf(name, "type"))) continue;
    for (const property of wanted.split(",")) {
      const value = propertyOf(name, property);
      if (value === undefined) continue;
      const isLocal = state.datasets[name]?.properties?.[property] !== undefined;
      const row = { name, property, value, source: isLocal ? "local" : "-" };
      process.stdout.write(`${columns.map((column) => row[column]).join("\t")}\n`);
    }
  }
}

const commands = {
  get,
  send,
  receive,
  list({ words: [root] }) {
    for (const name of within(root))
      for (const one of state.datasets[name].bookmarks) process.stdout.write(`${name}#${one.name}\n`);
  },
  set({ words: [property, name] }) {
    const [key, value] = property.split("=");
    dataset(name).properties = { ...dataset(name).properties, [key]: value };
    save();
  },
  hold({ words: [tag, ...names] }) {
    for (const name of names) {
      const { holds } = point(name);
      if (holds.includes(tag)) fail(`cannot hold snapshot '${name}': tag already exists on this dataset`);
      holds.push(tag);
    }
    save();
  },
  holds({ words }) {
    for (const name of words)
      for (const tag of point(name).holds) process.stdout.write(`${name}\t${tag}\tWed Nov 25 23:16 2026\n`);
  },
  release({ words: [tag, ...names] }) {
    for (const name of names) {
      const one = point(name);
      if (!one.holds.includes(tag))
        fail(`cannot release hold from snapshot '${name}': no such tag on this dataset`);
      one.holds = one.holds.filter((each) => each !== tag);
    }
    save();
  },
  bookmark({ words: [from, to] }) {
    const [of, , name] = split(to);
    const { guid, createtxg, creation } = point(from);
    dataset(of).bookmarks.push({ name, guid, createtxg, creation });
    save();
  },
  destroy({ words: [name] }) {
    const [of, mark, own] = split(name);
    if (!mark) delete state.datasets[of];
    else if (mark === "#") dataset(of).bookmarks = dataset(of).bookmarks.filter((one) => one.name !== own);
    else {
      if (point(name).holds.length > 0) fail(`cannot destroy snapshot ${name}: dataset is busy`);
      dataset(of).snapshots = dataset(of).snapshots.filter((one) => one.name !== own);
    }
    save();
  },
  "load-key"({ words: [name] }) {
    dataset(name).keyLoaded = true;
    save();
  },
  create({ flags, words: [name] }) {
    const given = Object.fromEntries((flags.o ?? []).map((one) => one.split("=")));
    const { encryption = "off", ...own } = given;
    const about = {
      kind: "filesystem",
      guid: newGuid(name),
      createtxg: state.txg++,
      creation: Math.floor(Date.now() / 1000),
    };
    const isEncrypted = encryption !== "off";
    state.datasets[name] = {
      ...about,
      ...{
        encryption: isEncrypted ? "aes-256-gcm" : "off",
        keyLoaded: isEncrypted,
        snapshots: [],
        bookmarks: [],
      },
      properties: own,
    };
    save();
  },
  snapshot({ words: [name] }) {
    const [of, , own] = split(name);
    const source = dataset(of);
    const guid = newGuid(name);
    const bytes = deflateRawSync(readFileSync(join(folder, `contents-${encodeURIComponent(of)}`)));
    keep(guid, source.encryption === "off" ? bytes : cipher(bytes));
    source.snapshots.push({
      name: own,
      guid,
      createtxg: state.txg++,
      creation: Math.floor(Date.now() / 1000),
      holds: [],
    });
    save();
  },
};

appendFileSync(join(folder, "log"), `${JSON.stringify([program, ...argv])}\n`);
const [given, ...words] = argv;
if (program === "zpool") {
  if (given === "status") process.stdout.write(`pool '${argv.at(-1)}' is healthy\n`);
} else {
  const command = given === "recv" ? "receive" : given;
  if (!commands[command]) fail(`the simulator has no ${given}`);
  await commands[command](read(command, words));
}
