import Basics
import Distribution
import Models
import Testing

@testable import Planning

struct LargeModelTests {
  /// 0.25°, 69 variables, 1.06 billion parameters: a published size (Kieckhefen et al., arXiv 2507.05753).
  static let published = ModelDescription(
    WeatherMixerSettings(
      patch: [1, 60], channels: 4_320, tokenWidth: 8_640, channelWidth: 4_320, blocks: 3, output: .blend),
    ModelFields(
      gridRows: 720, gridColumns: 1440, variables: 69, auxiliaries: 3,
      tendencyScale: [Float](repeating: 1, count: 69)))

  /// In a process of its own: memory and processor time are counted per process.
  @Test("A model of a billion parameters is simulated in seconds, without its memory")
  func large() async {
    await #expect(processExitsWith: .success) {
      let bytesBefore = Machine.residentMemory
      let secondsBefore = Machine.processorSeconds
      let simulator = try TrainingSimulator(LargeModelTests.published)
      let prediction = try simulator.predict(
        SimulationTests.layout(64, 2, 2), on: SimulationTests.machine(flopsPerSecond: 1e13, bytesPerSecond: 1e10))
      #expect(Machine.processorSeconds - secondsBefore < 60)
      #expect(Machine.peakResidentMemory - bytesBefore < 300 << 20)
      // A quarter of 4 bytes for each of 1.06 billion.
      #expect(abs(Double(prediction.memory.weights) / 1.06e9 - 1) < 0.01)
      #expect(prediction.memory.optimizer == 2 * prediction.memory.weights)
      #expect(prediction.samples == 64)
    }
  }
}
