// The same notebook on the AWS SDK for JavaScript v3: DocumentClient, paginators, a transaction.
import assert from "node:assert/strict";
import { DynamoDBClient, CreateTableCommand, DeleteTableCommand, waitUntilTableExists }
  from "@aws-sdk/client-dynamodb";
import { BatchWriteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, TransactWriteCommand,
  UpdateCommand, paginateQuery } from "@aws-sdk/lib-dynamodb";

const TableName = "notes-document";
const plain = new DynamoDBClient({});
const client = DynamoDBDocumentClient.from(plain);

await plain.send(new CreateTableCommand({
  TableName,
  KeySchema: [
    { AttributeName: "book", KeyType: "HASH" },
    { AttributeName: "number", KeyType: "RANGE" },
  ],
  AttributeDefinitions: [
    { AttributeName: "book", AttributeType: "S" },
    { AttributeName: "number", AttributeType: "N" },
  ],
  BillingMode: "PAY_PER_REQUEST",
}));
await waitUntilTableExists({ client: plain, maxWaitTime: 30, minDelay: 1 }, { TableName });

const Item = {
  book: "fog", number: 1, text: "grüße", raw: new Uint8Array([0, 1, 255]),
  tags: new Set(["sea", "grey"]), nested: { many: [1, "two", null, true, { three: 3 }] },
};
await client.send(new PutCommand({ TableName, Item }));
const found = await client.send(new GetCommand({ TableName, Key: { book: "fog", number: 1 } }));
assert.deepEqual(found.Item, Item);

const changed = await client.send(new UpdateCommand({
  TableName, Key: { book: "fog", number: 1 },
  UpdateExpression: "SET #t = :t, nested.many[0] = nested.many[0] + :one REMOVE tags",
  ExpressionAttributeNames: { "#t": "text" },
  ExpressionAttributeValues: { ":t": "changed", ":one": 1 },
  ReturnValues: "ALL_NEW",
}));
assert.equal(changed.Attributes.nested.many[0], 2);
assert.equal(changed.Attributes.tags, undefined);

for (let start = 2; start < 102; start += 25) {
  const puts = [...Array(25).keys()].map((n) => ({
    PutRequest: { Item: { book: "fog", number: start + n } },
  }));
  await client.send(new BatchWriteCommand({ RequestItems: { [TableName]: puts } }));
}
const numbers = [];
const pages = paginateQuery({ client, pageSize: 30 }, {
  TableName, KeyConditionExpression: "book = :b", ExpressionAttributeValues: { ":b": "fog" },
});
for await (const page of pages) numbers.push(...page.Items.map((item) => item.number));
assert.deepEqual(numbers, [...Array(101).keys()].map((n) => n + 1));

await assert.rejects(
  client.send(new TransactWriteCommand({ TransactItems: [
    { Put: { TableName, Item: { book: "fog", number: 500 } } },
    { ConditionCheck: { TableName, Key: { book: "fog", number: 1 },
      ConditionExpression: "attribute_not_exists(book)",
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" } },
  ] })),
  (error) => error.name === "TransactionCanceledException"
    && error.CancellationReasons[0].Code === "None"
    && error.CancellationReasons[1].Code === "ConditionalCheckFailed"
    && error.CancellationReasons[1].Item.text.S === "changed",
);
const none = await client.send(new GetCommand({ TableName, Key: { book: "fog", number: 500 } }));
assert.equal(none.Item, undefined);
await plain.send(new DeleteTableCommand({ TableName }));
console.log("done");
