import Basics
import Planning
import PublishedRuns
import Reporting

/// The published experiments beside their prediction.
struct PublishedTables {
  let experiments: PublishedExperiments

  /// Predicted, published, difference in percent; in bold what calibrated.
  private func seconds(_ predicted: Double, _ published: Double, calibrates: Bool) -> String {
    let text = "\(fixed(predicted, 3)) / \(fixed(published, 3))"
    return calibrates ? "*\(text)*" : "\(text) (\(signed(100 * (predicted / published - 1), 1)) %)"
  }

  private func signed(_ value: Double, _ decimals: Int) -> String {
    (value < 0 ? "−" : "+") + fixed(abs(value), decimals)
  }

  var calibration: String {
    let machine = experiments.machine
    let rates = PublishedFigures.strongScaling.map { row in
      let rate = experiments.flopsPerSecond(row.sizes, row.precision)
      return [
        "\(row.precision.rawValue), \(row.name) TF", "\(fixed(rate / 1e12, 1)) TFLOP/s",
        "\(fixed(100 * rate / row.precision.peak, 0)) % of peak", "its step on one GPU",
      ]
    }
    let one = machine.allReduceBytesPerSecond(groups: 1)
    let rest = [
      [
        "link within a node", "\(fixed(machine.link.bytesPerSecond / 1e9, 1)) GB/s", "72 measured, 100 documented",
        "16 TF in TF32 on 2 GPUs",
      ],
      [
        "share of a node's port that one all-reduce gets", fixed(machine.flowShare, 2),
        "\(fixed(one / 1e9, 1)) of 25 GB/s; four get \(fixed(4 * machine.allReduceBytesPerSecond(groups: 4) / 1e9, 1))",
        "1-way at 8 GPUs",
      ],
    ]
    return Table(header: ["calibrated", "value", "to compare with", "by"], rows: rates + rest).markdown
  }

  var strongScaling: Table {
    var table = Table(header: ["forward", "1 GPU", "2 GPUs", "4 GPUs", "speed-up on 2", "on 4"])
    for row in PublishedFigures.strongScaling {
      let predicted = PublishedFigures.ways.map { experiments.secondsPerStep(row, gpus: $0) }
      let cells = PublishedFigures.ways.enumerated().map { i, gpus in
        seconds(
          predicted[i], row.secondsPerStep[i], calibrates: PublishedExperiments.calibrates(row, gpus: gpus))
      }
      let speedups = (1..<3).map {
        "\(fixed(predicted[0] / predicted[$0], 2)) / \(fixed(row.secondsPerStep[0] / row.secondsPerStep[$0], 2))"
      }
      table.rows.append(["\(row.name) TF, \(row.precision.rawValue)"] + cells + speedups)
    }
    return table
  }

  var largerModels: Table {
    Table(
      header: ["forward", "GPUs", "s per step"],
      rows: PublishedFigures.largerModels.map { row in
        let predicted = experiments.run(row.sizes, ways: row.gpus, row.precision).instance.seconds
        return [
          "\(row.name) TF, \(row.precision.rawValue)", "\(row.gpus)",
          seconds(predicted, row.seconds, calibrates: false),
        ]
      })
  }

  var dataParallel: Table {
    var table = Table(
      header: ["", "s, one instance", "s, 256 GPUs"] + PublishedFigures.gpus.map { "\($0) GPUs" })
    for row in PublishedFigures.dataParallel {
      let ends = [(row.ways, row.secondsOfOne), (256, row.secondsOf256)].map {
        seconds(experiments.secondsPerStep(row, gpus: $0), $1, calibrates: false)
      }
      let efficiencies = zip(PublishedFigures.gpus, row.efficiencies).map { gpus, published in
        let text = "\(fixed(experiments.efficiency(row, gpus: gpus), 2)) / \(fixed(published, 2))"
        return PublishedExperiments.calibrates(row, gpus: gpus) ? "*\(text)*" : text
      }
      table.rows.append(["\(row.ways)-way"] + ends + efficiencies)
    }
    return table
  }

  var errors: String {
    let errors = experiments.meanErrors
    return "Mean of |predicted − published| over the figures that did not calibrate: "
      + "**\(fixed(100 * errors.strongScaling, 1)) %** of the steps without loading, "
      + "**\(fixed(100 * errors.dataParallelSeconds, 1)) %** of the steps with loading, "
      + "**\(fixed(100 * errors.efficiencies, 1)) points** of the efficiencies."
  }

  /// What the errors would be with other assumptions, nothing calibrated anew but the steps on one GPU.
  var sensitivity: Table {
    func errors(_ name: String, _ change: (inout PublishedMachine) -> Void) -> [String] {
      var machine = experiments.machine
      change(&machine)
      let errors = PublishedExperiments(fixed: machine).meanErrors
      return [
        name, "\(fixed(100 * errors.strongScaling, 1)) %", "\(fixed(100 * errors.dataParallelSeconds, 1)) %",
        fixed(100 * errors.efficiencies, 1),
      ]
    }
    return Table(
      header: ["", "steps without loading", "with loading", "efficiencies, points"],
      rows: [
        errors("as calibrated") { _ in },
        errors("link within a node 72 GB/s, as measured by others") { $0.link.bytesPerSecond = 72e9 },
        errors("passes at 1.1 TB/s") { $0.passBytesPerSecond = 1.1e12 },
        errors("passes at 1.5 TB/s") { $0.passBytesPerSecond = 1.5e12 },
        errors("one all-reduce gets 0.40 of a port") { $0.flowShare = 0.40 },
        errors("one all-reduce gets 0.50 of a port") { $0.flowShare = 0.50 },
        errors("no straggling") { $0.straggling = 0 },
        errors("straggling of 3 %") { $0.straggling = 0.03 },
      ])
  }

  var strongScalingChart: LineChart {
    var series: [LineChart.Series] = []
    for (row, color) in zip(PublishedFigures.strongScaling, LineChart.colors + LineChart.colors)
    where row.name == 2 || row.name == 16 {
      let name = "\(row.name) TF \(row.precision.rawValue)"
      let published = row.secondsPerStep.map { row.secondsPerStep[0] / $0 }
      let predicted = PublishedFigures.ways.map {
        experiments.secondsPerStep(row, gpus: 1) / experiments.secondsPerStep(row, gpus: $0)
      }
      series += pair(name, PublishedFigures.ways.map(Double.init), published, predicted, color)
    }
    var chart = LineChart(
      title: "Speed-up within a node: published (circles) and predicted (lines)",
      x: .init("GPUs", .logarithmic), y: .init("speed-up", .linear), series: series)
    chart.x.ticks = [1, 2, 4]
    chart.y.includes = [4]
    return chart
  }

  var dataParallelChart: LineChart {
    let gpus = PublishedFigures.gpus.map(Double.init)
    var chart = LineChart(
      title: "Efficiency of data-parallel training: published (circles) and predicted (lines)",
      x: .init("GPUs", .logarithmic), y: .init("efficiency", .linear),
      series: zip(PublishedFigures.dataParallel, LineChart.colors).flatMap { row, color in
        pair(
          "\(row.ways)-way", gpus, row.efficiencies,
          PublishedFigures.gpus.map { experiments.efficiency(row, gpus: $0) }, color)
      })
    chart.x.ticks = gpus
    chart.y.includes = [0, 1]
    return chart
  }

  private func pair(
    _ name: String, _ x: [Double], _ published: [Double], _ predicted: [Double], _ color: String
  ) -> [LineChart.Series] {
    // One entry in the legend for both: the circle stands before the line.
    var circles = LineChart.Series("", zip(x, published).map { (x: $0, y: $1) }, color: color)
    circles.hasLine = false
    circles.marker = .hollow
    var line = LineChart.Series(name, zip(x, predicted).map { (x: $0, y: $1) }, color: color)
    line.marker = .none
    return [circles, line]
  }
}
