/** Who may be the same person as whom. */
import { expect, it } from "vitest";
import { mayBeOnePerson, type Lineage } from "../../core/lineage.ts";

const first: Lineage = { caller: "first", makers: [], first: "first" };
const alice: Lineage = { caller: "alice", makers: ["first"], first: "first" };
const bob: Lineage = { caller: "bob", makers: ["first"], first: "first" };
const scriptOf = ({ caller, makers }: Lineage, name: string): Lineage => ({ caller: name, makers: [caller, ...makers], first: "first" });
const ada: Lineage = { caller: "issuer#ada", makers: [], first: null };
const keyOf = ({ caller }: Lineage, name: string): Lineage => ({ caller: name, makers: [caller], first: null });

it.each<[string, boolean, Lineage, Lineage]>([
  ["the same caller", true, alice, alice],
  ["maker and made", true, alice, scriptOf(alice, "script")],
  ["maker and made over another", true, alice, scriptOf(scriptOf(alice, "script"), "second")],
  ["two that one made", true, scriptOf(alice, "one"), scriptOf(alice, "two")],
  ["the first key and any that it made", true, first, alice],
  ["two that the first key made", false, alice, bob],
  ["what two made that the first key made", false, scriptOf(alice, "one"), scriptOf(bob, "two")],
  ["an admin who signed in and their key", true, ada, keyOf(ada, "key")],
  ["two keys of such an admin", true, keyOf(ada, "one"), keyOf(ada, "two")],
  ["two such admins", false, ada, { ...ada, caller: "issuer#eve" }],
])("%s: %s", (_, expected, one, other) => {
  expect([mayBeOnePerson(one, other), mayBeOnePerson(other, one)]).toEqual([expected, expected]);
});
