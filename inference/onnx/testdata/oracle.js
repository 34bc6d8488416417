// Runs silero VAD in onnxruntime-node and prints one probability per line.
// usage: node oracle.js NETWORK.onnx CLIP.wav
// The clip is one that sox wrote: 16-bit mono at 16 kHz behind a 44-byte header.
const fs = require("fs");
const ort = require("onnxruntime-node");

async function main([, , network, clip]) {
  const session = await ort.InferenceSession.create(network, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: "extended",
    executionProviders: ["cpu"],
  });
  const bytes = fs.readFileSync(clip);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.length - 44) >> 1);
  const rate = new ort.Tensor("int64", BigInt64Array.of(16000n), []);
  let state = new ort.Tensor("float32", new Float32Array(256), [2, 1, 128]);
  let context = new Float32Array(64);
  for (let at = 0; at < samples.length; at += 512) {
    const input = new Float32Array(576);
    input.set(context);
    for (let i = 0; i < 512 && at + i < samples.length; i++) input[64 + i] = samples[at + i] / 32768;
    context = input.slice(512);
    const out = await session.run({ input: new ort.Tensor("float32", input, [1, 576]), state, sr: rate });
    state = out.stateN;
    console.log(out.output.data[0]);
  }
}

main(process.argv);
