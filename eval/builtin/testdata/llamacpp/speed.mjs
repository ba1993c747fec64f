// How fast llama.cpp is with one thread, for the benchmark to compare with.
//
//   node speed.mjs MODEL.gguf PROMPT REPLY <rounds
//
// Each line that comes in gives a line {"prompt": 12.3, "reply": 4.5}: the
// milliseconds of processor time that PROMPT tokens took at once, and each of
// REPLY tokens that were generated, greedy, one after the other.
import {createInterface} from "node:readline";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [modelPath, prompt, reply] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const llama = await getLlama({build: "never", gpu: false, maxThreads: 1, progressLogs: false, logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({contextSize: 128, batchSize: 128, sequences: 1, threads: 1});
const sequence = context.getSequence();
const tokens = Array.from({length: prompt}, (_, i) => 10 + (i * 7) % 500);

async function timed(work) {
    await sequence.clearHistory();
    const start = process.cpuUsage();
    const count = await work();
    const {user, system} = process.cpuUsage(start);
    return (user + system) / 1e3 / count;
}

async function generate() {
    let count = 0;
    for await (const _ of sequence.evaluate([tokens[0]], {temperature: 0, yieldEogToken: true})) {
        if (++count === reply) break;
    }
    return count;
}

for await (const _ of createInterface({input: process.stdin})) {
    const promptTime = await timed(async () => (await sequence.evaluateWithoutGeneratingNewTokens(tokens), 1));
    console.log(JSON.stringify({prompt: promptTime, reply: await timed(generate)}));
}
process.exit(0);
