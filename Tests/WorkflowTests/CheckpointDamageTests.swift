import Basics
import Checkpoints
import Configuration
import TestSupport
import Testing
import Training
import Workflow

@Suite struct CheckpointDamageTests {
  /// A bit changed anywhere in a checkpoint, its manifest and the heads of its files included, is found.
  @Test func everyFlippedBitIsFound() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    for setting in ["channels=4", "tokenWidth=4", "channelWidth=4", "blocks=1"] {
      try configuration.apply("model.\(setting)")
    }
    try TrainWorkflow(configuration, stopAfter: 1, console: Console(secondsBetweenLines: 1e9)).start()
    let path = "\(folder.path)/run/checkpoints/update-0000001"
    #expect(try Checkpoint(path).problems().isEmpty)
    let files = try Files.list(path).map { (path: "\(path)/\($0)", bytes: try Files.read("\(path)/\($0)")) }
    #expect(files.count >= 3)
    let total = files.reduce(0) { $0 + $1.bytes.count }
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<1_000 {
      var position = Int.random(in: 0..<total, using: &generator)
      guard
        let file = files.first(where: { file in
          if position < file.bytes.count { return true }
          position -= file.bytes.count
          return false
        })
      else { continue }
      let bit = Int.random(in: 0..<8, using: &generator)
      var bytes = file.bytes
      bytes[position] ^= 1 << UInt8(bit)
      try write(bytes, file.path)
      #expect(isDamaged(path), "bit \(bit) of byte \(position) of \(file.path)")
      try write(file.bytes, file.path)
    }
    #expect(try Checkpoint(path).problems().isEmpty)
  }

  private func write(_ bytes: [UInt8], _ path: String) throws {
    let file = try OutputFile(replacing: path)
    try bytes.withUnsafeBytes { try file.write($0) }
    try file.close()
  }

  private func isDamaged(_ path: String) -> Bool {
    do { return try !Checkpoint(path).problems().isEmpty } catch { return error is JigsawError }
  }
}
