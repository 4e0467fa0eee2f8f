import Basics
import Datasets
import TestSupport
import Testing

@Suite struct NamesTests {
  @Test func unitsConvert() {
    func convert(_ value: Double, _ from: String, _ to: String) -> Double? {
      UnitConversion(from: from, to: to).map { value * $0.factor + $0.offset }
    }
    #expect(convert(1_013.25, "hPa", "Pa") == 101_325)
    #expect(convert(1_000, "millibars", "Pa") == 100_000)
    #expect(convert(-273.15, "degC", "K") == 0 && convert(20, "°C", "K") == 293.15)
    #expect(convert(100, "gpm", "m2 s-2") == 980.665 && convert(100, "m", "m2 s-2") == 980.665)
    #expect(convert(5, "g/kg", "kg kg-1") == 0.005)
    #expect(convert(50, "%", "1") == 0.5 && convert(3, "mm", "m") == 0.003)
    for same in ["m**2 s**-2", "m^2 s^-2", "m2/s2", " m2  s-2 "] { #expect(convert(3, same, "m2 s-2") == 3, "\(same)") }
    for same in ["m s**-1", "m/s", "meter/second"] { #expect(convert(3, same, "m s-1") == 3) }
    #expect(convert(1, "(0 - 1)", "1") == 1 && convert(1, "", "1") == 1)
    // Both ways, and spellings of products.
    #expect(convert(980.665, "m2 s-2", "gpm") == 100 && abs((convert(980.665, "m**2 s**-2", "m") ?? 0) - 100) < 1e-12)
    #expect(convert(1, "dam", "m") == 10 && abs((convert(1, "gpdm", "gpm") ?? 0) - 10) < 1e-12)
    #expect(convert(101_325, "Pa", "hPa") == 1_013.25 && convert(1, "kPa", "hPa") == 10)
    // A multiple of a degree keeps its zero, a quotient has none.
    for unit in ["0.1 degC", "1e-1 degC", "0.1*degC", "degC*0.1", "degC 0.1"] {
      #expect(abs((convert(150, unit, "K") ?? 0) - 288.15) < 1e-9, "\(unit)")
    }
    #expect(abs((convert(5_000, "0.01 degF", "K") ?? 0) - 283.15) < 1e-9)
    #expect(abs((convert(3, "0.1 degC m-1", "K m-1") ?? 0) - 0.3) < 1e-9)
    #expect(abs((convert(212, "degF", "K") ?? 0) - 373.15) < 1e-9 && abs((convert(32, "°F", "degC") ?? 9)) < 1e-9)
    #expect(
      abs((convert(36, "km/h", "m s-1") ?? 0) - 10) < 1e-12
        && abs((convert(3_600, "knots", "m s-1") ?? 0) - 1_852) < 1e-9)
    #expect(convert(5, "kg m**-2", "m") == 0.005 && convert(0.005, "m of water equivalent", "kg m-2") == 5)
    #expect(convert(35, "‰", "1") == 0.035 && convert(0.5, "(0 - 1)", "%") == 50)
    for same in ["K m**2 kg**-1 s**-1", "K.m2.kg-1.s-1", "K m² kg⁻¹ s⁻¹", "K*m^2/kg/s"] {
      #expect(convert(3, same, "K m2 kg-1 s-1") == 3, "\(same)")
    }
    #expect(convert(4, "degrees K", "K") == 4 && convert(4, "degree_Celsius", "K") == 277.15)
    #expect(convert(7, "J m**-2", "W s m-2") == 7 && convert(2, "mm/day", "m s-1") != nil)
    // What lies between energy and power is a period, which units don't tell.
    #expect(convert(1, "J m**-2", "W m-2") == nil && convert(1, "kg m-2 s-1", "m") == nil)
    for (from, to) in [
      ("m/", "m"), ("/", "1"), ("m**99", "m"), ("2 m//s", "m s-1"), ("s-1-1", "s-1"), ("m s-1 ??", "m s-1"),
    ] {
      #expect(convert(1, from, to) == nil, "\(from)")
    }
    for (from, to) in [("Pa", "K"), ("K", "Pa"), ("kg", "m"), ("m s-1", "m2 s-2"), ("furlong", "m")] {
      #expect(convert(1, from, to) == nil)
    }
  }

  /// Spellings of WRF, CMIP, MERRA-2, GFS, MARS and of people.
  @Test func spellingsOfOneUnitAreEqual() {
    let spellings: [(String, [String])] = [
      (
        "m s-1",
        [
          "meters per second", "metres per second", "m per s", "meter per sec", "m/sec", "metre second-1", "m.s-1",
          "m·s⁻¹", "[m/s]", "meters/second", "m s^-1",
        ]
      ),
      ("degC", ["degreesC", "degrees C", "Degrees_Celsius", "deg_C", "degree C", "degC", "℃", "Celsius"]),
      ("K", ["deg_K", "degreesK", "degrees Kelvin", "Kelvin", "kelvins", "°K", "degK", "degree_K"]),
      ("1", ["0-1", "(0-1)", "0 - 1", "(0 - 1)", "[0-1]", "0 to 1", "fraction", "non-dim", "kg/kg", "mm per mm"]),
      ("hPa", ["hpa", "mb", "mbars", "millibars", "hectoPascal"]),
      ("m2 s-2", ["m+2 s-2", "m**2 s**-2", "J/kg"]),
      ("gpm", ["geopotential meters", "geopotential_meter", "gpm"]),
      ("kg m-2 s-1", ["kg/m^2/s", "kg per m2 per s", "kilograms m**-2 sec-1", "mm/s"]),
      ("mm", ["millimeters", "millimetre", "1e-3 m"]),
    ]
    for (unit, same) in spellings {
      for text in same {
        let found = UnitConversion(from: text, to: unit)
        #expect(found.map { abs($0.factor - 1) < 1e-12 && abs($0.offset) < 1e-9 } == true, "\(text)")
      }
    }
    // What could mean something else stays unknown.
    for text in ["ms-1", "M/S", "per", "per s per", "m square", "degrees", "C m", "0-10", "Wm-2"] {
      #expect(UnitConversion(from: text, to: "m s-1") == nil && UnitConversion(from: text, to: "1") == nil, "\(text)")
    }
  }

  @Test func theLexiconIsConsistent() {
    let names = Lexicon.variables.map(\.name)
    #expect(Set(names).count == names.count)
    let aliases = Lexicon.variables.flatMap(\.aliases)
    #expect(Set(aliases).count == aliases.count && Set(aliases).isDisjoint(with: names))
    for variable in Lexicon.variables { #expect(UnitConversion(from: variable.units, to: variable.units) != nil) }
    #expect(Lexicon["geopotential"] == nil && Lexicon["z"]?.aliases.contains("geopotential") == true)
    #expect(Lexicon.variable("aerosol").units == "1")
    #expect(Channel(variable: "u", levelHPa: 10).name == "u_10" && Channel(variable: "u10").name == "u10")
    #expect(Channel(variable: "z", levelHPa: 0.5).name == "z_0.5")
  }

  @Test func patternsStandForSortedPaths() throws {
    let folder = try TemporaryFolder()
    for name in ["b-2.nc", "b-1.nc", "b-10.nc", "a.nc", "c[1].nc"] {
      try Files.writeAtomically("", to: "\(folder.path)/\(name)")
    }
    func names(_ pattern: String) throws -> [String] {
      try expand("\(folder.path)/\(pattern)").map { String($0.split(separator: "/").last ?? "") }
    }
    #expect(try names("b-*.nc") == ["b-1.nc", "b-10.nc", "b-2.nc"])
    #expect(try names("b-?.nc") == ["b-1.nc", "b-2.nc"])
    #expect(try names("[ab]-2.nc") == ["b-2.nc"])
    #expect(try names("c[1].nc") == ["c[1].nc"], "a file of this very name")
    #expect(try names("none.nc") == ["none.nc"], "whether it is there is found out on opening")
    let error = #expect(throws: JigsawError.self) { try names("d*.nc") }
    #expect(error?.place == "\(folder.path)/d*.nc")
  }
}
