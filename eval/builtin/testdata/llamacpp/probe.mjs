// What llama.cpp makes of texts after a prompt, for the tests to compare with.
//
//   node probe.mjs MODEL.gguf [REFERENCE.gguf] <requests.jsonl
//
// A request {"prompt": "…", "texts": ["…"], "reply": [token, …]} gives a line
// {"forms": [{"tokens": […], "bits": 1.5, "ranks": […], "near": […]}], "kld": […]}:
// near tells where another token's probability is within 1e-4 of it, in
// proportion; kld is REFERENCE || MODEL in nats at each token of reply. Keys and
// values are kept in F32 and attention is computed in it: llama.cpp would round
// them, and sums of its flash attention, to F16.
import {createInterface} from "node:readline";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const llama = await getLlama({build: "never", gpu: false, progressLogs: false, logLevel: LlamaLogLevel.error});

async function open(modelPath) {
    const model = await llama.loadModel({modelPath});
    const context = await model.createContext({contextSize: 256, sequences: 1, threads: 1, flashAttention: false,
        experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"});
    const sequence = context.getSequence();
    const encode = (text) => {
        const ids = model.tokenize(text, false);
        return model.tokens.shouldPrependBosToken ? [model.tokens.bos, ...ids] : ids;
    };
    // The probabilities of every token after tokens.slice(0, i), for i from first on.
    const predict = async (tokens, first) => {
        await sequence.clearHistory();
        const input = tokens.map((id, i) => (i + 1 < first ? id : [id, {generateNext: {probabilities: true}}]));
        const output = await sequence.controlledEvaluate(input);
        return output.slice(first - 1).map((o) => o.next.probabilities);
    };
    return {encode, predict};
}

const model = await open(process.argv[2]);
const reference = process.argv[3] ? await open(process.argv[3]) : undefined;

async function follow(prompt, text) {
    const start = model.encode(prompt), whole = model.encode(prompt + text);
    let k = 0;
    while (k < start.length && start[k] === whole[k]) k++;
    const form = {tokens: whole.slice(k), bits: 0, ranks: [], near: []};
    const predictions = await model.predict(whole.slice(0, -1), k);
    whole.slice(k).forEach((id, i) => {
        const own = predictions[i].get(id);
        let rank = 1, near = false;
        for (const [other, p] of predictions[i]) {
            if (p > own) rank++;
            if (other !== id && Math.abs(p / own - 1) < 1e-4) near = true;
        }
        form.bits -= Math.log2(own);
        form.ranks.push(rank);
        form.near.push(near);
    });
    return form;
}

async function divergences(prompt, reply) {
    if (!reference || !reply?.length) return [];
    const start = model.encode(prompt);
    const tokens = [...start, ...reply.slice(0, -1)];
    const theirs = await reference.predict(tokens, start.length);
    const ours = await model.predict(tokens, start.length);
    return theirs.map((p, i) => {
        let kld = 0;
        for (const [id, value] of p) kld += value > 0 ? value * Math.log(value / ours[i].get(id)) : 0;
        return kld;
    });
}

for await (const line of createInterface({input: process.stdin})) {
    const {prompt, texts, reply} = JSON.parse(line);
    const forms = [];
    for (const text of texts) forms.push(await follow(prompt, text));
    console.log(JSON.stringify({forms, kld: await divergences(prompt, reply)}));
}
process.exit(0);
