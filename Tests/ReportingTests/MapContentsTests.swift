import Basics
import Datasets
import Testing

@testable import Reporting

@Suite("Maps of a report")
struct MapContentsTests {
  @Test("Quantisation is off by at most half a step")
  func quantization() {
    let values = (0..<1_000).map { Float($0 * 7_919 % 1_000) * 0.31 - 150 }
    let covering = Quantization(covering: values)
    let symmetric = Quantization(symmetric: values)
    for scale in [covering, symmetric] {
      for (value, byte) in zip(values, scale.bytes(values)) {
        #expect(abs(scale.value(byte) - Double(value)) <= scale.step / 2 * 1.0001)
      }
    }
    #expect(abs(covering.step - (0.31 * 999) / 255) < 1e-4)
    #expect(symmetric.value(symmetric.bytes([0])[0]) == 0)
  }

  @Test("A constant field keeps its value")
  func constant() {
    let scale = Quantization(covering: [3, 3])
    #expect(scale.bytes([3, 3]).map(scale.value) == [3, 3])
    let zero = Quantization(symmetric: [0, 0])
    #expect(zero.bytes([0]).map(zero.value) == [0])
  }

  @Test("Forecast and truth come back within the steps of their bytes")
  func field() {
    let forecast = Sample.field(1)
    // Errors grow with lead; those of the first lead must not suffer from those of the last.
    let size = Sample.grid.count
    let truth = forecast.enumerated().map { i, v in v - Float((i / size) % 4 + 1) * 0.01 * Float(i % 7 - 3) }
    let field = MapContents.Field(
      ChannelDisplay(Channel(variable: "t2m")), forecast: forecast, truth: truth, leads: 4, initialTimes: 2)
    #expect(field.mean.count == size && field.error.count == 4)
    for i in forecast.indices {
      let lead = i / size % 4
      let value = Double(field.mean[i % size]) + field.forecast.value(field.forecastBytes[i])
      let error = field.error[lead].value(field.errorBytes[i])
      #expect(abs(value - Double(forecast[i])) <= field.forecast.step * 0.501)
      #expect(abs(error - Double(forecast[i] - truth[i])) <= field.error[lead].step * 0.501)
    }
    #expect(field.error[0].step < field.error[3].step / 3)
  }

  @Test("Small grids are shown whole, large ones within the budget")
  func plan() {
    let small = MapPlan(rows: 32, columns: 64, channels: 8, initialTimes: 87, leads: 20)
    #expect(small.block == 1 && small.leads == Array(0..<20))
    #expect(small.initialTimes.count == 3 && small.initialTimes == small.initialTimes.sorted())
    for (rows, columns) in [(121, 240), (181, 360), (721, 1_440), (2_000, 3_000)] {
      let plan = MapPlan(rows: rows, columns: columns, channels: 8, initialTimes: 50, leads: 60)
      let points = ((rows - 1) / plan.block + 1) * ((columns - 1) / plan.block + 1)
      #expect(points <= 181 * 360)
      #expect(2 * 8 * plan.initialTimes.count * plan.leads.count * points <= MapPlan.byteBudget)
      #expect(plan.leads.last == 59)
    }
    let one = MapPlan(rows: 8, columns: 8, channels: 1, initialTimes: 1, leads: 1)
    #expect(one.initialTimes == [0] && one.leads == [0] && one.block == 1)
  }

  @Test("Blocks are averaged, also those cut off at the edge")
  func average() {
    let plan = MapPlan(rows: 362, columns: 723, channels: 1, initialTimes: 1, leads: 1)
    #expect(plan.block == 3)
    let field = (0..<362 * 723).map { Float($0 / 723) }
    let display = ChannelDisplay(Channel(variable: "msl"))
    let shown = plan.average(field, rows: 362, columns: 723, display)
    #expect(shown.count == 121 * 241)
    #expect(shown[0] == 0.01 && shown[shown.count - 1] == 3.605)
    let grid = plan.grid(
      LatLonGrid(latitudes: (0..<362).map { 90 - Double($0) * 0.5 }, longitudes: (0..<723).map { Double($0) * 0.4 }))
    #expect(grid.rows == 121 && grid.columns == 241 && grid.latitudes[0] == 89.5)
  }

  @Test("Units are set as people read them")
  func display() {
    #expect(ChannelDisplay.typeset("m2 s-2") == "m² s⁻²")
    #expect(ChannelDisplay.typeset("kg m-2") == "kg m⁻²")
    #expect(ChannelDisplay.typeset("%") == "%" && ChannelDisplay.typeset("1") == "")
    let q = ChannelDisplay(Channel(variable: "q", levelHPa: 850))
    #expect(q.label == "q 850 hPa" && q.unit == "g kg⁻¹" && q.factor == 1_000)
    let t = ChannelDisplay(Channel(variable: "t2m"))
    #expect(t.unit == "K" && t.valueUnit == "°C" && t.offset == -273.15)
    #expect(ChannelDisplay(Channel(variable: "my_field")).label == "my_field")
    // What the lexicon lacks is shown as it is stored, in its own unit; what it has is in ours.
    let own = ChannelDisplay(Channel(variable: "my_field"), units: "K")
    #expect(own.unit == "K" && own.valueUnit == "K" && own.factor == 1 && own.offset == 0)
    #expect(ChannelDisplay(Channel(variable: "msl"), units: "m").unit == "hPa")
    #expect(ChannelDisplay.typeset("m**2 s**-2") == "m² s⁻²" && ChannelDisplay.typeset("J/kg") == "J/kg")
  }
}

@Suite("Data of a report")
struct ReportDataTests {
  @Test(
    "Bytes as base64", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
  func base64Vectors(text: String, expected: String) { #expect(base64(Array(text.utf8)) == expected) }

  @Test("Numbers keep six digits and stay numbers")
  func numbers() {
    #expect(json(1.0 / 3) == .number(0.333333))
    #expect(json(1.2e-9) == .number(1.2e-9))
    #expect(json(123_456_789) == .number(1.23457e8))
    #expect(json(Double.nan) == .null && json(-Double.infinity) == .null)
    #expect(json(0.0) == .integer(0))
  }

  @Test("A few leads stand for many in spectra")
  func spectrumLeads() {
    #expect(ReportData.spectrumLeads([6, 12]) == [6, 12])
    let leads = ReportData.spectrumLeads((1...40).map { $0 * 6 })
    #expect(leads.count == 5 && leads.first == 6 && leads.last == 240)
    #expect(leads.dropFirst().allSatisfy { $0 % 24 == 0 })
  }

  @Test("Long trainings are thinned to block means")
  func thinning() {
    var updates = TrainingCurves.Updates()
    updates.update = Array(1...10)
    updates.loss = (1...10).map(Double.init)
    for _ in 0..<10 {
      updates.learningRate.append(1)
      updates.gradientNorm.append(1)
      updates.samplesPerSecond.append(1)
      updates.steps.append(1)
    }
    let (thin, block) = TrainingCurves(updates: updates).thinned(to: 4)
    #expect(block == 3)
    #expect(thin.update == [3, 6, 9, 10] && thin.loss == [2, 5, 8, 10])
  }
}
