import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Params } from "../../../src/dev/ec2/query.ts";
import { renderError, renderResponse } from "../../../src/dev/ec2/xml.ts";

describe("Params", () => {
  const params = Params.parse(
    "Action=RunInstances&MaxCount=3&DryRun=false&InstanceId.2=b&InstanceId.10=j&InstanceId.1=a" +
      "&Filter.1.Name=tag%3Aowner&Filter.1.Value.1=me+too&Filter.1.Value.2=%C3%A4&Placement.AvailabilityZone=z",
  );

  test("reads lists in the order of their numbers, gaps or not", () => {
    expect(params.list("InstanceId")).toEqual(["a", "b", "j"]);
    expect(params.list("Nothing")).toEqual([]);
  });

  test("reads structures within lists", () => {
    const [filter] = params.structs("Filter");
    expect(filter?.required("Name")).toBe("tag:owner");
    expect(filter?.list("Value")).toEqual(["me too", "ä"]);
    expect(params.struct("Placement")?.text("AvailabilityZone")).toBe("z");
  });

  test("names a parameter that is missing or wrong by its full path", () => {
    expect(() => params.structs("Filter")[0]?.required("Value")).toThrow("the parameter Filter.1.Value");
    expect(() => params.integer("Action")).toThrow("Value (RunInstances) for parameter Action is invalid.");
    expect(params.integer("MaxCount")).toBe(3);
    expect(params.flag("DryRun")).toBe(false);
    expect(() => params.flag("MaxCount")).toThrow(expect.objectContaining({ code: "InvalidParameterValue" }));
  });

  test("has a fingerprint of what is asked, whatever the order, the token and the version", () => {
    const one = Params.parse("Action=A&ClientToken=x&B.1=2&C=3&Version=1").fingerprint();
    expect(Params.parse("C=3&B.1=2&Version=2&ClientToken=y&Action=A").fingerprint()).toBe(one);
    expect(Params.parse("Action=A&B.1=2&C=4").fingerprint()).not.toBe(one);
    expect(Params.parse("Action=A&B.1=2").fingerprint()).not.toBe(one);
  });

  test("takes any body without harm", () => {
    fc.assert(
      fc.property(fc.string(), (body) => {
        const any = Params.parse(body);
        expect(any.fingerprint()).toBeTypeOf("string");
        expect(any.list("InstanceId")).toBeInstanceOf(Array);
      }),
    );
  });
});

describe("rendering", () => {
  test("wraps items, leaves out what is undefined, and escapes", () => {
    expect(
      renderResponse("DoIt", "id-1", { set: [{ a: 1, b: undefined }, { a: true }], text: '<&">\u0000' }),
    ).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<DoItResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id-1</requestId>' +
        "<set><item><a>1</a></item><item><a>true</a></item></set><text>&lt;&amp;&quot;&gt;\ufffd</text></DoItResponse>",
    );
  });

  test("puts an error as the API does", () => {
    expect(renderError("Oops", "no <way>", "id-2")).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        "<Response><Errors><Error><Code>Oops</Code><Message>no &lt;way&gt;</Message></Error></Errors>" +
        "<RequestID>id-2</RequestID></Response>",
    );
  });
});
