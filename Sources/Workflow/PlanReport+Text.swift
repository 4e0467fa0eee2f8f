import Basics

extension PlanReport {
  private static func gigabytes(_ bytes: Int) -> String { fixed(Double(bytes) * 1e-9, bytes < 10_000_000 ? 4 : 3) }

  private static func seconds(_ value: Double) -> String {
    value < 1 ? "\(significant(1e3 * value, 3)) ms" : value < 100 ? "\(significant(value, 3)) s" : duration(value)
  }

  /// Bytes and operations of one rank, as the simulation of the training counted them.
  public var counts: String {
    let rows =
      [["of the rank that has most, one update", ""]]
      + [["operations of GEMMs", "\(best.productFLOPs)"], ["bytes of passes over memory", "\(best.passBytes)"]]
      + ["replica", "domain", "tensor"].map { ["bytes sent along the \($0) axis", "\(best.bytesSent[$0] ?? 0)"] }
      + [["stored bytes read", "\(best.bytesRead)"], ["bytes held at most", "\(best.memory.total)"]]
    return "\(ranks) \(ranks == 1 ? "rank" : "ranks") as \(best.mesh) (replica × domain × tensor)\n"
      + InspectWorkflow.table(rows)
  }

  public var text: String {
    var parts = [
      """
      \(model.text)
      \(machine.name): \(machine.summary); a rank is \(machine.rank), \(machine.precision) products
      """
    ]
    if machine.isGPU {
      parts[0] += "\nThis program runs on processors: what follows is what the same schedules would do on these GPUs."
    }
    if !machine.assumptions.isEmpty {
      parts[0] +=
        "\nAssumed, not documented or measured there: \(machine.assumptions.count) figures ('jigsaw machines')."
    }
    parts.append(
      """
      \(ranks) \(ranks == 1 ? "rank" : "ranks") as \(PlanReport.name(best)), batch \(best.batch) per instance\
      \(best.accumulation > 1 ? " × \(best.accumulation)" : ""), \(best.globalBatch) samples per update
      \(reason)
      """)
    parts.append(memoryTable)
    parts.append(timeTable)
    if !runnersUp.isEmpty { parts.append(layoutTable) }
    if considered > 1 { parts.append("\(simulated) of \(considered) layouts simulated") }
    return parts.joined(separator: "\n\n")
  }

  private static func name(_ layout: Layout) -> String {
    layout.mesh + (layout.splitOptimizer ? ", split optimiser" : "")
      + (layout.checkpointActivations ? ", checkpointing" : "")
  }

  /// The memory of whole runs, a column for each verb.
  private var memoryTable: String {
    let verbs =
      [("train", best.memory)]
      + [("forecast", forecastMemory), ("evaluate", evaluationMemory)].compactMap { verb, memory in
        memory.map { (verb, $0) }
      }
    let columns = verbs.map { $0.1.parts.map(\.1) + [$0.1.total] }
    let names = best.memory.parts.map(\.0) + ["all"]
    let rows = names.indices.filter { row in columns.contains { $0[row] > 0 } }.map { row in
      [names[row]] + columns.map { $0[row] == 0 ? "" : PlanReport.gigabytes($0[row]) }
    }
    let available = machine.memoryBytesPerRank.map { " of \(PlanReport.gigabytes($0)) GB" } ?? ""
    return InspectWorkflow.table([["memory per rank, GB"] + verbs.map(\.0)] + rows)
      + "\n" + verbs.map { "\($0.0): \($0.1.verdict)\(available)" }.joined(separator: "; ")
  }

  private var timeTable: String {
    var rows = [["one update", "", "%"]]
    func add(_ name: String, _ seconds: Double) {
      rows.append([name, PlanReport.seconds(seconds), fixed(100 * seconds / best.secondsPerUpdate, 1)])
    }
    for phase in best.phases { add(phase.name, phase.seconds) }
    add("all", best.secondsPerUpdate)
    if best.waitSeconds > 0 { add("of it waiting for ranks", best.waitSeconds) }
    if best.readingWaitSeconds > 0 { add("of it waiting for samples", best.readingWaitSeconds) }
    var lines = [
      InspectWorkflow.table(rows),
      "\(significant(best.samplesPerSecond, 3)) samples/s, \(fixed(100 * best.shareOfPeak, 1)) % of "
        + "\(significant(machine.peakFLOPsPerSecond * 1e-12, 3)) TFLOP/s",
    ]
    let sent = ["replica", "domain", "tensor"].compactMap { axis in
      best.bytesSent[axis].flatMap { $0 > 0 ? "\(InspectWorkflow.size($0)) along the \(axis) axis" : nil }
    }
    if !sent.isEmpty { lines.append("sent per rank and update: \(sent.joined(separator: ", "))") }
    if best.bytesRead > 0 { lines.append("read per rank and update: \(InspectWorkflow.size(best.bytesRead))") }
    if let epoch = best.secondsPerEpoch, let samplesPerEpoch {
      let energy = best.kilowattHoursPerEpoch.map { ", \(significant($0, 3)) kWh" } ?? ""
      lines.append("an epoch of \(samplesPerEpoch) samples: \(PlanReport.seconds(epoch))\(energy)")
    }
    return lines.joined(separator: "\n")
  }

  private var layoutTable: String {
    let columns = ["layout", "samples/s", "%", "update", "batch", "waiting %", "GB per rank", "memory"]
    return InspectWorkflow.table(
      [columns]
        + ([best] + runnersUp).map { layout in
          [
            PlanReport.name(layout), significant(layout.samplesPerSecond, 3),
            fixed(100 * layout.samplesPerSecond / best.samplesPerSecond, 1),
            PlanReport.seconds(layout.secondsPerUpdate), "\(layout.globalBatch)",
            fixed(100 * layout.waitSeconds / layout.secondsPerUpdate, 1), PlanReport.gigabytes(layout.memory.total),
            layout.memory.verdict,
          ]
        })
  }
}
