// The ARNs for the patterns in the settings. The IAM policies allow only these.
'use strict';

const words = (value) =>
  (Array.isArray(value) ? value : String(value ?? '').split(','))
    .map((word) => String(word).trim())
    .filter((word) => word !== '');

const sub = (resource) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:ecs:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
});

// IAM's only wildcards are `*` and `?`. Every other pattern of the function becomes the narrowest IAM pattern that
// includes it: a choice of characters becomes any character, a choice of words becomes any text. The function refuses
// the rest.
const forIam = (pattern) =>
  pattern
    .replace(/\\(.)/g, '?')
    .replace(/\[[!^]?\]?[^\]]*\]/g, '?')
    .replace(/\{[^}]*\}/g, '*')
    .replace(/\*\*+/g, '*');

// The name part of an ARN, or the name itself. A character class may contain a `/`.
const name = (word) => forIam(word).split('/').pop();

const setting = async ({ resolveVariable }, path) =>
  words(await resolveVariable(`self:custom.mysettings.${path}, ''`));

// IAM requires a resource in every statement. If the settings name none, it is a resource that does not exist.
const orNone = (arns, none) => (arns.length === 0 ? [sub(none)] : arns);

const definitions = (names) =>
  orNone(
    names.map(name).map((it) => sub(`task-definition/${it.includes(':') ? it : `${it}:*`}`)),
    'task-definition/none:0'
  );
const clusters = (names) => orNone(names.map((it) => sub(`cluster/${name(it)}`)), 'cluster/none');
const inClusters = (kind, names) =>
  orNone(names.map((it) => sub(`${kind}/${name(it)}/*`)), `${kind}/none/none`);

const queueDefinitions = (context) => setting(context, 'run_from_queue.allowed_task_definitions');
const queueClusters = (context) => setting(context, 'run_from_queue.allowed_clusters');
// A lifecycle hook of Amazon ECS takes both from the service, so that it may use any in the account.
const hookDefinitions = async (context) => {
  const named = await setting(context, 'deploy_hook.task_definition');
  return named.length === 0 ? ['*'] : named;
};
const hookClusters = async (context) => {
  const named = await setting(context, 'deploy_hook.cluster_name');
  return named.length === 0 ? ['*'] : named;
};

// The ARN in IAM of a secret reference, `ssm:/path` or `secretsmanager:ID[:key]`.
const secretOf = (reference) => {
  const arn = (service, resource) => ({
    'Fn::Sub': `arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
  });
  if (reference.startsWith('ssm:')) {
    // The ARN in IAM has no version or label.
    const place = reference.slice(4);
    return place.startsWith('arn:')
      ? place.split(':').slice(0, 6).join(':')
      : arn('ssm', `parameter/${place.split(':')[0].replace(/^\//, '')}`);
  }
  const place = reference.slice('secretsmanager:'.length);
  if (place.startsWith('arn:')) {
    return place.split(':').slice(0, 7).join(':');
  }
  // Secrets Manager appends six random characters to a name.
  return arn('secretsmanager', `secret:${place.split(':')[0]}-??????`);
};

// Every string in a list or an object, at any depth.
const texts = (value) => {
  if (value !== null && typeof value === 'object') {
    return Object.values(value).flatMap(texts);
  }
  return value === null || value === undefined ? [] : [String(value).trim()];
};

const channels = ({ resolveVariable }) => resolveVariable(`self:custom.mysettings.channels, ''`);

module.exports = {
  // The list as JSON, or the reference to the place where it is stored.
  channels: async (context) => {
    const list = await channels(context);
    return list !== null && typeof list === 'object' ? JSON.stringify(list) : String(list ?? '').trim();
  },
  // A list of entries, `NAME: SCHEDULE`, or keys and their values, become lines.
  expect: async ({ resolveVariable }) => {
    const lines = (value) => {
      if (Array.isArray(value)) {
        return value.flatMap(lines);
      }
      if (value !== null && typeof value === 'object') {
        return Object.entries(value).map(([name, schedule]) => `${name}: ${schedule}`);
      }
      return [String(value ?? '').trim()];
    };
    return lines(await resolveVariable(`self:custom.mysettings.expect, ''`)).join('\n');
  },
  // The queue's visibility timeout in seconds. It applies where the function set no other: it could not start, crashed or
  // timed out. Lambda requires at least six times the function's timeout plus the batching window. Twenty of these
  // timeouts must be about four hours.
  // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibilityTimeout: async ({ resolveVariable }) => {
    const timeout = Number(await resolveVariable('self:custom.mysettings.timeout, 15'));
    const window = Number(await resolveVariable('self:custom.batchingWindow'));
    // A timeout that is not a number is refused where the function's own timeout is set.
    return Math.max(6 * (Number.isFinite(timeout) ? timeout : 15) + window, 720);
  },
  queueDefinitions: async (context) => definitions(await queueDefinitions(context)),
  queueClusters: async (context) => clusters(await queueClusters(context)),
  queueServices: async (context) => inClusters('service', await queueClusters(context)),
  queueTasks: async (context) => inClusters('task', await queueClusters(context)),
  hookDefinitions: async (context) => definitions(await hookDefinitions(context)),
  hookClusters: async (context) => clusters(await hookClusters(context)),
  hookTasks: async (context) => inClusters('task', await hookClusters(context)),
  // The state table: that of the stack, unless the settings name another.
  stateTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.state_table, ''`)) ?? '').trim();
    const service = await resolveVariable('self:service');
    return named || `${service}-${await resolveVariable('sls:stage')}-state`;
  },
  // Whether the table is that of the stack (own), another, or none.
  whichTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.state_table, ''`)) ?? '').trim();
    if (named === '') {
      return 'own';
    }
    return named.toUpperCase() === 'DISABLED' ? 'none' : 'another';
  },
  // Whether the alias of the account is looked up (true or false).
  usesAlias: async (context) => String((await setting(context, 'account_names')).includes('ALIAS')),
  // The roles of other accounts that may be assumed to look up facts. IAM's wildcard takes the place of the account.
  lookupRoles: async ({ resolveVariable }) => {
    const role = String((await resolveVariable(`self:custom.mysettings.hub.lookup_role, ''`)) ?? '').trim();
    return role.replace('{account}', '*') || 'arn:aws:iam::000000000000:role/none';
  },
  // The ARN of another table. The settings have its name or its ARN.
  namedTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.state_table, ''`)) ?? '').trim();
    return named.startsWith('arn:')
      ? named
      : {
          'Fn::Sub': `arn:\${AWS::Partition}:dynamodb:\${AWS::Region}:\${AWS::AccountId}:table/${named || 'none'}`,
        };
  },
  // The secrets of the notifier's channels that are references. The default is none.
  channelSecrets: async (context) => {
    const read = (path) => context.resolveVariable(`self:custom.mysettings.${path}, ''`);
    const values = [await read('slack.webhookurl'), await read('flowdock.api_token'), await channels(context)];
    const arns = texts(values).filter((it) => /^(ssm|secretsmanager):/.test(it)).map(secretOf);
    return arns.length === 0
      ? [{ 'Fn::Sub': 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/none/none' }]
      : arns;
  },
  // The topics of the notifier's channels. The default is none.
  channelTopics: async (context) => {
    const list = await channels(context);
    const named = Array.isArray(list) ? texts(list.map((it) => it?.topic)) : [];
    const arns = named.filter((it) => it.startsWith('arn:'));
    return arns.length === 0
      ? [{ 'Fn::Sub': 'arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:none' }]
      : arns;
  },
  // The roles that may be passed to a task. The default is none.
  passedRoles: async (context) => {
    const roles = await setting(context, 'pass_roles');
    return roles.length === 0
      ? [{ 'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/none/none' }]
      : roles;
  },
};
